package readme

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; go run may have to compile everything first.
const patience = 5 * time.Minute

// process is a command that runs, with what it prints.
type process struct {
	t     *testing.T
	what  string
	lines chan string // of both outputs, closed at its end
	log   []string    // the lines that were read
}

// start runs a command in a process group of its own, with variables beside the
// environment, and ends it with the test by the signal that control-C sends.
// How a program answers that is its own affair; what it printed is in log then.
func start(t *testing.T, cmd *exec.Cmd, environ ...string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Env = append(cmd.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	p := &process{t: t, what: strings.Join(cmd.Args, " "), lines: make(chan string, 10_000)}
	go func() {
		defer close(p.lines)
		defer r.Close()
		scan := bufio.NewScanner(r)
		for scan.Scan() {
			p.lines <- scan.Text()
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	t.Cleanup(func() {
		group := -cmd.Process.Pid
		_ = syscall.Kill(group, syscall.SIGINT)
		kill := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		for line := range p.lines { // until the last of the group has ended
			p.log = append(p.log, line)
		}
		_ = cmd.Wait() // go run has exit code 1 after the signal
		if !kill.Stop() {
			t.Errorf("%s: did not end by SIGINT", p.what)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.what, strings.Join(p.log, "\n"))
		}
	})
	return p
}

// await returns what a pattern finds in the next line that it fits.
func (p *process) await(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s: ended before it printed %s", p.what, pattern)
			}
			p.log = append(p.log, line)
			if m := re.FindStringSubmatch(line); m != nil {
				return m
			}
		case <-late.C:
			p.t.Fatalf("%s: did not print %s in %v", p.what, pattern, patience)
		}
	}
}
