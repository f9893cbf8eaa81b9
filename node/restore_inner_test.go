package node

import (
	"errors"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

// What was read of a node's journal is used again only while it cannot change:
// as long as the node is gone.
func TestLoads(t *testing.T) {
	t.Parallel()
	j := new(journal)
	j.loads.init(time.Minute)
	l := &j.loads
	kept := func() int { return len(l.of) }

	first, mine := l.begin("a", 0)
	if !mine || first.final {
		t.Fatalf("the first reading: mine %v, final %v", mine, first.final)
	}
	if again, mine := l.begin("a", 0); mine || again != first {
		t.Error("two read at the same time")
	}
	later, mine := l.begin("a", l.newest())
	if !mine || later == first {
		t.Error("a reading that began before is taken for one behind")
	}
	l.over("a", first)
	if kept() != 1 {
		t.Error("the end of one reading is that of another one")
	}
	l.over("a", later)
	if kept() != 0 {
		t.Errorf("%d readings of a node that lives are kept", kept())
	}

	j.left("a")
	failed, _ := l.begin("a", 0)
	failed.err = errors.New("no leader")
	l.over("a", failed)
	final, mine := l.begin("a", 0)
	if !mine || !final.final {
		t.Fatalf("after one that failed: mine %v, final %v", mine, final.final)
	}
	l.over("a", final)
	if again, mine := l.begin("a", l.newest()); mine || again != final {
		t.Error("the journal of a node that is gone is read twice")
	}
	j.joined("a") // it was taken for dead
	if again, mine := l.begin("a", 0); !mine || again.final {
		t.Errorf("it lives, and what was read before counts: mine %v, final %v", mine, again.final)
	}
}

// A session that is just changing is recorded at the next try, and nobody spins
// until then.
func TestRecordWhileChanging(t *testing.T) {
	t.Parallel()
	r := testRecovery(t)
	j := newJournal(r, nil)
	ss := r.waitingSession(newPID(r.srv.id))
	ss.pen.Lock()
	j.later(ss)
	<-j.wake
	if _, busy := j.recordSome(); !busy || len(j.fresh) != 1 {
		t.Errorf("busy %v, %d sessions left", busy, len(j.fresh))
	}
	if len(j.wake) != 0 {
		t.Error("tried again at once")
	}
	ss.pen.Unlock()
}

// The log may go back while OnConnect of a recovered client runs: what it was
// promised does not hold any more.
func TestResetWhileConnecting(t *testing.T) {
	t.Parallel()
	r := testRecovery(t)
	r.feed.Reset(backplane.Reset{Reason: backplane.ResetRewind})
	ns := r.srv.Of("/")
	s := &Socket{ns: ns, recovered: true}
	s.rec = r.waitingSession(newPID(r.srv.id))
	if _, ok := s.replay(0); ok {
		t.Error("it is let in as recovered")
	}
	s.life = r.feed.life
	if _, ok := s.replay(0); !ok {
		t.Error("one that was judged since is refused")
	}
	r.srv.degraded.mu.Lock()
	r.srv.degraded.emitted["other"] = 1
	r.srv.degraded.mu.Unlock()
	if _, ok := s.replay(0); ok {
		t.Error("it is let in as recovered while a server emits past the log")
	}
}
