package node

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
)

// What was read of a node's journal is used again only while it cannot change:
// as long as the node is gone.
func TestLoads(t *testing.T) {
	t.Parallel()
	j := new(journal)
	j.loads.init(time.Minute)
	l := &j.loads
	kept := func() int { return len(l.of) }

	first, mine := l.begin("a")
	if !mine || first.final {
		t.Fatalf("the first reading: mine %v, final %v", mine, first.final)
	}
	if again, mine := l.begin("a"); mine || again != first {
		t.Error("two read at the same time")
	}
	l.over("a", first)
	if kept() != 0 {
		t.Errorf("%d readings of a node that lives are kept", kept())
	}

	j.left("a")
	failed, _ := l.begin("a")
	failed.err = errors.New("no leader")
	l.over("a", failed)
	final, mine := l.begin("a")
	if !mine || !final.final {
		t.Fatalf("after one that failed: mine %v, final %v", mine, final.final)
	}
	l.over("a", final)
	if again, mine := l.begin("a"); mine || again != final {
		t.Error("the journal of a node that is gone is read twice")
	}
	j.joined("a") // it was taken for dead
	if again, mine := l.begin("a"); !mine || again.final {
		t.Errorf("it lives, and what was read before counts: mine %v, final %v", mine, again.final)
	}
}

// Who looks behind a claim does not go by a reading that began before it, and
// waits for the next one with all others.
func TestFindAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{}
		j := &journal{rec: &recovery{srv: &Server{ctx: t.Context()}}, store: store}
		j.loads.init(time.Minute)
		store.state.Store(1)
		var all sync.WaitGroup
		all.Go(func() { j.find(t.Context(), backplane.Owner{PID: "x.y", Node: "x"}, 0) })
		synctest.Wait() // it reads
		store.state.Store(2)
		for range 100 {
			all.Go(func() {
				found, final, ok := j.find(t.Context(), backplane.Owner{PID: "x.y", Node: "x", Generation: 0}, j.loads.newest())
				if !ok || final || found.User != "2" {
					t.Errorf("found %+v, final %v, %v", found, final, ok)
				}
			})
		}
		all.Wait()
		if n := store.reads.Load(); n != 2 {
			t.Errorf("the journal was read %d times", n)
		}
	})
}

// slowStore is a store whose journals take a second to read.
type slowStore struct {
	backplane.Sessions
	state, reads atomic.Int64
}

func (s *slowStore) Load(context.Context, string) iter.Seq2[backplane.SessionRecord, error] {
	s.reads.Add(1)
	return func(yield func(backplane.SessionRecord, error) bool) {
		user := strconv.FormatInt(s.state.Load(), 10)
		<-time.After(time.Second)
		yield(encodeRecord("x.y", &taken{Session: new(resume.State), User: user}), nil)
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
