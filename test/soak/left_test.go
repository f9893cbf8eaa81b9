package soak

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// patience is how long what is left of clients may take to go. The longest
// time limit of the servers is 10 s.
const patience = time.Minute

// left is what a process holds.
type left struct {
	goroutines, descriptors int
	heap                    int64
}

// String shows it in a log.
func (l left) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KB of heap", l.goroutines, l.descriptors, l.heap>>10)
}

func measure() left {
	runtime.GC()
	runtime.GC() // what pools gave up in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l := left{goroutines: runtime.NumGoroutine(), heap: int64(m.HeapAlloc)}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err) // without it the test would prove nothing
	}
	l.descriptors = len(open)
	return l
}

// Slack of the comparison. Per client it is nothing: it does not grow with
// their number.
var spareGoroutines = 4 + 2*8*runtime.GOMAXPROCS(0) // each of two servers keeps eight a processor for mailboxes

const (
	spareDescriptors = 4
	spareHeap        = 1 << 20
)

func (l left) over(before left) string {
	switch {
	case l.goroutines > before.goroutines+spareGoroutines:
		return fmt.Sprintf("%d goroutines, %d before", l.goroutines, before.goroutines)
	case l.descriptors > before.descriptors+spareDescriptors:
		return fmt.Sprintf("%d descriptors, %d before", l.descriptors, before.descriptors)
	case l.heap > before.heap+spareHeap:
		return fmt.Sprintf("%d bytes of heap, %d before", l.heap, before.heap)
	}
	return ""
}

// until asks as long as there is something to complain about, and returns the
// last complaint.
func until(patience time.Duration, complaint func() string) string {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		what := complaint()
		if what == "" {
			return ""
		}
		select {
		case <-tick.C:
		case <-end.C:
			return what
		}
	}
}

// settle waits until the process holds no more than before.
func settle(before left, patience time.Duration) (after left, what string) {
	what = until(patience, func() string {
		after = measure()
		return after.over(before)
	})
	return after, what
}

// quiet waits until the servers have seen the last of their clients.
func quiet(t *testing.T, servers ...*soak) {
	t.Helper()
	for _, s := range servers {
		if what := until(patience, s.busy); what != "" {
			t.Fatalf("left over: %s\n%s", what, stacks())
		}
	}
}

// busy says what the server still has of clients.
func (s *soak) busy() string {
	for _, name := range []string{"/", "/soak"} {
		switch ns := s.srv.Of(name); {
		case ns.Len() > 0:
			return fmt.Sprintf("%d sockets in %s", ns.Len(), name)
		case len(ns.LocalRooms()) > 0:
			return fmt.Sprintf("rooms %q in %s", ns.LocalRooms(), name)
		}
	}
	switch st := s.srv.Stats(); {
	case st.Transport.Sessions > 0:
		return fmt.Sprintf("%d Engine.IO sessions", st.Transport.Sessions)
	case st.Sessions > 0 || st.SessionsWaiting > 0:
		return fmt.Sprintf("%d sessions kept, %d of them waiting", st.Sessions, st.SessionsWaiting)
	case s.opened.Load() != s.closed.Load():
		return fmt.Sprintf("%d OnConnect, %d OnDisconnect", s.opened.Load(), s.closed.Load())
	}
	return ""
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// counts checks that all that happened was counted, once. Slow consumers are
// not among it: who dropped out of polling is one until its heartbeat is missed,
// and those who did not would have reported an error.
func (s *soak) counts(t *testing.T) {
	t.Helper()
	st := s.srv.Stats()
	entered, said := uint64(s.entered.Load()), uint64(s.said.Load())
	for name, pair := range map[string][2]uint64{
		"connects":            {st.Connects, entered},
		"disconnects":         {st.Disconnects, entered},
		"OnConnect":           {uint64(s.opened.Load()), entered},
		"OnDisconnect":        {uint64(s.closed.Load()), entered},
		"say handled":         {uint64(s.handled.Load()), said},
		"rooms left":          {uint64(s.leaves.Load()), uint64(s.joins.Load())},
		"clients recovered":   {st.Recovered, uint64(s.back.Load())},
		"panics":              {st.Panics, 0},
		"malformed packets":   {st.Malformed, 0},
		"errors of handlers":  {st.HandlerErrors, 0},
		"mailbox overflows":   {st.MailboxOverflows, 0},
		"connects timed out":  {st.ConnectTimeouts, 0},
		"connections refused": {st.ConnectErrors, 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d, want %d", name, pair[0], pair[1])
		}
	}
	if s.joins.Load() == 0 {
		t.Error("no room event was told")
	}
}
