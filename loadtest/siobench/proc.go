//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// usage is CPU time in seconds and resident memory in bytes, summed over the
// processes named by -pid. The total comes from the scheduler in nanoseconds;
// the split into user and system from ticks of 10 ms.
type usage struct {
	cpu       float64
	user, sys float64
	rss       int64
}

func serverUsage() usage {
	var u usage
	for _, pid := range cfg.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if i := bytes.LastIndexByte(b, ')'); i >= 0 {
			f := strings.Fields(string(b[i+1:]))
			ut, _ := strconv.ParseFloat(f[11], 64)
			st, _ := strconv.ParseFloat(f[12], 64)
			u.user += ut / 100
			u.sys += st / 100
		}
		u.cpu += onCPU(pid)
		u.rss += resident(pid)
	}
	return u
}

// onCPU sums what the scheduler counted for the threads of a process. A thread
// that ended between two readings is missed; servers under test keep theirs.
func onCPU(pid int) float64 {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	var ns uint64
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseUint(first, 10, 64)
		ns += n
	}
	return float64(ns) / 1e9
}

func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb * 1024
		}
	}
	return 0
}

// selfCPU is what the generator itself has used, in seconds.
func selfCPU() float64 {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Sec+ru.Stime.Sec) + float64(ru.Utime.Usec+ru.Stime.Usec)/1e6
}

func reportCPU(res map[string]any, before, after usage, clientCPU, perN float64, perName string) {
	res["client_cpu_s"] = round3(clientCPU)
	if len(cfg.pids) == 0 {
		return
	}
	cpu := after.cpu - before.cpu
	res["server_cpu_s"] = round3(cpu)
	if ticks := after.user + after.sys - before.user - before.sys; ticks > 0 {
		res["server_sys_share"] = round3((after.sys - before.sys) / ticks)
	}
	if perN > 0 {
		res["server_cpu_us_per_"+perName] = round3(cpu * 1e6 / perN)
	}
	res["server_rss_mb"] = round3(float64(after.rss) / (1 << 20))
}

func round3(f float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 3, 64), 64)
	return r
}
