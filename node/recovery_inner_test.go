package node

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node/internal/resume"
)

// testRecovery is the recovery of a server that nobody connects to.
func testRecovery(t *testing.T) *recovery {
	t.Helper()
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := New(Config{Backplane: bp, Membership: self, Recovery: Recovery{Enabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		_ = bp.Close(context.Background())
	})
	return srv.recovery
}

// waitingSession is a session whose client is away.
func (r *recovery) waitingSession(pid string) *session {
	ss := &session{rec: r, pid: pid, ns: "/", history: resume.New("/", "sid", 0, backplane.Offset{}), known: true}
	ss.history.Begin(0)
	r.mu.Lock()
	r.sessions[pid] = ss
	r.mu.Unlock()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	r.away(ss)
	ss.until = r.waiting.add(ss)
	return ss
}

// A node that asks again gets the same answer: the first may have been lost on
// the way. Others are told where the session went (V11).
func TestTakeIsIdempotent(t *testing.T) {
	t.Parallel()
	r := testRecovery(t)
	pid := newPID(r.srv.id)
	r.waitingSession(pid)
	body := takeBody{PID: pid, NS: "/"}
	if b := string(r.serveTake("a", takeBody{PID: pid, NS: "/other"})); b != "{}" {
		t.Errorf("in another namespace: %s", b)
	}
	if b := string(r.serveTake("a", takeBody{PID: pid, NS: "/", Who: identity{User: "eve"}})); b != "{}" {
		t.Errorf("another user's: %s", b)
	}
	first := string(r.serveTake("a", body))
	if first == "{}" {
		t.Fatal("the session is not handed over")
	}
	if again := string(r.serveTake("a", body)); again != first {
		t.Errorf("asked again: %s, was %s", again, first)
	}
	if b := string(r.serveTake("b", body)); b != `{"owner":"a","moves":1}` {
		t.Errorf("another node is told %s", b)
	}
	// Once the owner says that it has it, there is nothing to repeat.
	r.owned("a", []ownedSession{{pid, 1}})
	if b := string(r.serveTake("a", body)); b != `{"owner":"a","moves":1}` {
		t.Errorf("after the owner's word: %s", b)
	}
	elsewhere := newPID("elsewhere")
	r.owned("c", []ownedSession{{pid, 3}, {elsewhere, 1}})
	r.owned("b", []ownedSession{{pid, 2}}) // it took long
	if b := string(r.serveTake("a", body)); b != `{"owner":"c","moves":3}` {
		t.Errorf("after the next owner's word: %s", b)
	}
	// Who knows that the session moved since is not told of older times.
	body.Moves = 4
	if b := string(r.serveTake("a", body)); b != "{}" {
		t.Errorf("asked for a later owner: %s", b)
	}
	if b := string(r.serveTake("a", takeBody{PID: elsewhere, NS: "/"})); b != "{}" {
		t.Errorf("somebody else's session: %s", b)
	}
}

// An answer that arrives when the session has been here and ended is of before.
func TestLateAnswerIsRefused(t *testing.T) {
	t.Parallel()
	home, r := testRecovery(t), testRecovery(t)
	pid := newPID(home.srv.id)
	home.waitingSession(pid)
	var answer taken
	if err := jsonv2.Unmarshal(home.serveTake(r.srv.id, takeBody{PID: pid, NS: "/"}), &answer, takenJSON); err != nil {
		t.Fatal(err)
	}
	s := &Socket{ns: r.srv.root}
	ss := r.adopt(s, pid, home.srv.id, &answer, backplane.Owner{})
	if ss == nil {
		t.Fatal("not adopted")
	}
	// The same answer to a second claim: the session is there already.
	other := &Socket{ns: r.srv.root, conn: &conn{srv: r.srv}}
	ss.owner = nil
	if again := r.adopt(other, pid, home.srv.id, &answer, backplane.Owner{}); again != ss || ss.owner != other {
		t.Error("two claims got two sessions")
	}
	ss.end()
	if r.adopt(s, pid, home.srv.id, &answer, backplane.Owner{}) != nil {
		t.Error("a session that ended came back")
	}
	if g := r.graveOf(pid); g == nil || g.node != "" {
		t.Errorf("grave %v", g)
	}
}

// pass lets time go by in a bubble, without waiting for it.
func pass(d time.Duration) { <-time.After(d) }

func TestLapses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var l lapses[string]
		begun := time.Now()
		l.init(time.Minute, 3, func(k string, due time.Time) {
			if time.Now().After(due) {
				t.Errorf("%s is late", k)
			}
			got = append(got, k+time.Since(begun).String())
		})
		l.add("a")
		pass(20 * time.Second)
		l.add("b")
		l.add("c")
		l.remove("b")
		l.remove("nothing")
		pass(30 * time.Second)
		l.add("d")
		l.add("a") // anew
		pass(20 * time.Second)
		l.add("e") // too many with c, d, a
		synctest.Wait()
		if want := []string{"c1m10s"}; !slices.Equal(got, want) || l.len() != 3 {
			t.Errorf("got %q, want %q; %d left", got, want, l.len())
		}
		pass(2 * time.Minute)
		l.add("f")
		l.close()
		l.add("g")
		pass(2 * time.Minute)
		if want := []string{"c1m10s", "d1m50s", "a1m50s", "e2m10s"}; !slices.Equal(got, want) || l.len() != 0 {
			t.Errorf("got %q, want %q; %d left", got, want, l.len())
		}
	})
}
