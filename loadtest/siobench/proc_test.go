//go:build linux

package main

import (
	"os"
	"testing"
	"time"
)

// The CPU figure of a process agrees with what the process knows of itself.
func TestServerUsageOfThisProcess(t *testing.T) {
	cfg = config{pids: []int{os.Getpid()}}
	before, own := serverUsage(), selfCPU()
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	after, ownAfter := serverUsage(), selfCPU()
	got, want := after.cpu-before.cpu, ownAfter-own
	if got < want/2 || got > want*2 || got == 0 {
		t.Errorf("the scheduler counted %.4f s, the process %.4f s", got, want)
	}
	if after.rss < 1<<20 {
		t.Errorf("resident memory %d bytes", after.rss)
	}
}
