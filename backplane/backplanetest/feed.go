package backplanetest

import (
	"sync"

	"github.com/siod-io/siod/backplane"
)

// feed is a LogHandler that keeps what it gets and checks the promises about
// each call.
type feed struct {
	s *suite

	mu      sync.Mutex
	log     backplane.Log // for Status, if set
	pos     backplane.Position
	entries []backplane.Entry
	resets  []backplane.Reset
	changed chan struct{}
}

// tail starts a feed of b's log for a namespace.
func (s *suite) tail(b backplane.Backplane) *feed {
	s.Helper()
	f := &feed{s: s, changed: make(chan struct{}), log: s.log(b)}
	if err := f.log.Tail(s.ctx, f); err != nil {
		s.Fatalf("tail: %v", err)
	}
	if got := f.allResets(); len(got) != 1 || got[0].Reason != backplane.ResetStart {
		s.Fatalf("when Tail returned the resets were %v", got)
	}
	return f
}

func (s *suite) log(b backplane.Backplane) backplane.Log {
	s.Helper()
	l := backplane.LogFor(b, "/")
	if l == nil {
		s.Fatal("there is no log")
	}
	return l
}

// Apply implements backplane.LogHandler.
func (f *feed) Apply(e backplane.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.resets) == 0 {
		f.s.Errorf("entry %d came before the first reset", e.Seq)
	}
	if e.Seq != f.pos.Seq+1 {
		f.s.Errorf("entry %d came after %d", e.Seq, f.pos.Seq)
	}
	f.pos = e.Position
	f.entries = append(f.entries, e)
	if f.log != nil {
		if st := f.log.Status(); st.Position.Seq >= e.Seq {
			f.s.Errorf("P is %d before %d was applied", st.Position.Seq, e.Seq)
		} else if want := backplane.NewTag(st.Created, e.Seq, e.Stored); e.Tag != want {
			f.s.Errorf("tag of %d is %s, want %s", e.Seq, e.Tag, want)
		}
	}
	f.notify()
}

// Reset implements backplane.LogHandler.
func (f *feed) Reset(r backplane.Reset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch first := len(f.resets) == 0; {
	case first != (r.Reason == backplane.ResetStart):
		f.s.Errorf("reset %d is a %s", len(f.resets), r.Reason)
	case r.Reason == backplane.ResetJump && r.Position.Seq <= f.pos.Seq:
		f.s.Errorf("jump from %d to %d", f.pos.Seq, r.Position.Seq)
	case r.Reason == backplane.ResetRewind && r.Position.Seq > f.pos.Seq:
		f.s.Errorf("rewind from %d to %d", f.pos.Seq, r.Position.Seq)
	}
	f.pos = r.Position
	f.resets = append(f.resets, r)
	f.notify()
}

func (f *feed) notify() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) all() []backplane.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.entries[:len(f.entries):len(f.entries)]
}

func (f *feed) allResets() []backplane.Reset {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resets[:len(f.resets):len(f.resets)]
}

func (f *feed) position() backplane.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos
}

// until waits until the feed is at a sequence and returns all entries.
func (f *feed) until(seq uint64) []backplane.Entry {
	f.s.Helper()
	for {
		f.mu.Lock()
		at, changed := f.pos.Seq, f.changed
		entries := f.entries[:len(f.entries):len(f.entries)]
		f.mu.Unlock()
		if at >= seq {
			return entries
		}
		select {
		case <-changed:
		case <-f.s.ctx.Done():
			f.s.Fatalf("the feed is at %d and should come to %d", at, seq)
		}
	}
}

// append appends an event and returns where it is.
func (s *suite) append(b backplane.Backplane, id uint64) backplane.Position {
	s.Helper()
	pos, err := s.log(b).Append(s.ctx, event(b, id, "/"))
	if err != nil {
		s.Fatalf("append: %v", err)
	}
	return pos
}

// key is what identifies an entry between nodes.
type key struct {
	pos    backplane.Position
	origin string
	id     uint64
}

func keys(entries []backplane.Entry) []key {
	list := make([]key, len(entries))
	for i, e := range entries {
		list[i] = key{e.Position, e.Envelope.Origin, e.Envelope.ID}
	}
	return list
}
