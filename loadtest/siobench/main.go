//go:build linux

// Command siobench is a small, dependable load generator for Socket.IO (and a few
// reference) servers. One epoll thread drives every connection, so that the
// generator costs little beside the server it measures on the same machine.
//
// See README.md for the contract a server under test has to fulfil. Every run
// is bounded in count and in time and ends with one JSON line on stdout.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type config struct {
	mode    string
	proto   string
	dialect dialect
	test    string
	addrs   []string
	path    string
	conns   int
	conc    int
	count   int
	window  int
	rate    float64
	size    int
	maxTime time.Duration
	warm    int
	hold    time.Duration
	depth   int
	room    string
	pids    []int
	label   string
	perSrc  int
	srcBase int
}

var cfg config

func main() {
	var urls, pids string
	flag.StringVar(&cfg.mode, "mode", "fanout", "fanout | echo | idle | storm | poll")
	flag.StringVar(&cfg.proto, "proto", "sio4", "sio4 | sio3 | centrifuge | raw")
	flag.StringVar(&urls, "addr", "127.0.0.1:3000", "host:port of each server node, comma-separated (IPv4 loopback only)")
	flag.StringVar(&cfg.path, "path", "", "request path (default depends on -proto)")
	flag.IntVar(&cfg.conns, "n", 1000, "connections")
	flag.IntVar(&cfg.conc, "conc", 32, "concurrent handshakes")
	flag.IntVar(&cfg.count, "count", 200, "broadcasts (fanout) or round trips in all (echo, poll)")
	flag.IntVar(&cfg.window, "window", 4, "fanout: broadcasts in flight (closed loop), used when -rate is 0")
	flag.Float64Var(&cfg.rate, "rate", 0, "fanout: broadcasts per second (open loop)")
	flag.IntVar(&cfg.size, "size", 128, "payload characters")
	flag.DurationVar(&cfg.maxTime, "max", 60*time.Second, "time limit of the measured part")
	flag.IntVar(&cfg.warm, "warm", 20, "fanout: broadcasts before the measured ones")
	flag.DurationVar(&cfg.hold, "hold", 3*time.Second, "idle: settle time before memory is read")
	flag.IntVar(&cfg.depth, "depth", 1, "echo: round trips in flight per connection")
	flag.StringVar(&cfg.room, "room", "r", "room name")
	flag.StringVar(&pids, "pid", "", "process ids of the server, comma-separated: CPU and memory are then reported")
	flag.StringVar(&cfg.label, "label", "", "name of the server, copied to the result")
	flag.StringVar(&cfg.test, "test", "", "name of the test, copied to the result")
	flag.IntVar(&cfg.perSrc, "per-src", 20000, "connections per source address (127.1.x.y)")
	flag.IntVar(&cfg.srcBase, "src-base", 0, "first source address index (give each concurrent generator its own)")
	flag.Parse()
	cfg.addrs = strings.Split(urls, ",")
	for _, p := range strings.Split(pids, ",") {
		if p == "" {
			continue
		}
		n, err := strconv.Atoi(p)
		if err != nil {
			badFlag("-pid: " + strconv.Quote(p) + " is no process id")
		}
		cfg.pids = append(cfg.pids, n)
	}
	if cfg.window < 1 || cfg.conns < 1 || cfg.count < 1 || cfg.conc < 1 || cfg.depth < 1 || cfg.perSrc < 1 {
		badFlag("-window, -n, -count, -conc, -depth and -per-src are at least 1")
	}
	d, ok := dialects[cfg.proto]
	if !ok {
		badFlag("-proto: there is no protocol " + strconv.Quote(cfg.proto) + "; there are sio4, sio3, centrifuge, raw")
	}
	cfg.dialect = d
	if cfg.path == "" {
		cfg.path = d.path
	}
	raiseNofile()

	// A hard stop, whatever happens.
	time.AfterFunc(cfg.maxTime+150*time.Second, func() {
		fail("hard time limit")
	})

	res := map[string]any{"mode": cfg.mode, "proto": cfg.proto, "n": cfg.conns, "label": cfg.label, "test": cfg.test, "size": cfg.size}
	var err error
	switch cfg.mode {
	case "fanout":
		err = runFanout(res)
	case "echo":
		err = runEcho(res)
	case "idle", "storm":
		err = runIdle(res)
	case "poll":
		err = runPoll(res)
	default:
		err = fmt.Errorf("unknown mode %q", cfg.mode)
	}
	if err != nil {
		res["error"] = err.Error()
	}
	out, _ := json.Marshal(res)
	fmt.Println(string(out))
	if err != nil {
		os.Exit(1)
	}
}

func badFlag(msg string) {
	fmt.Fprintln(os.Stderr, "siobench: "+msg)
	os.Exit(2)
}

// fail ends the run with a result line that says why.
func fail(msg string) {
	out, _ := json.Marshal(map[string]any{"mode": cfg.mode, "label": cfg.label, "test": cfg.test, "error": msg})
	fmt.Println(string(out))
	os.Exit(1)
}

// raiseNofile asks for descriptors for all connections and some more.
func raiseNofile() {
	var rl syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rl) != nil {
		return
	}
	want := uint64(cfg.conns*2 + 1000)
	if rl.Cur >= want {
		return
	}
	rl.Cur = want
	if rl.Max < want {
		rl.Max = want
	}
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &rl)
}
