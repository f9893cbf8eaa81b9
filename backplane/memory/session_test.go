package memory

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siod-io/siod/backplane"
)

// TestNoSessions: a hub without a store of sessions has none (V21).
func TestNoSessions(t *testing.T) {
	t.Parallel()
	_, list := members(t, Config{}, "a")
	if s, ok := backplane.AsSessions(list[0]); ok || s != nil {
		t.Errorf("sessions %v, %t", s, ok)
	}
}

func pids(t *testing.T, s backplane.Sessions, home string) (pids []string) {
	t.Helper()
	for r, err := range s.Load(deadline(t), home) {
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, r.PID)
	}
	return pids
}

// TestSessionsExpire: a journal lives as long as its home and Config.Sessions
// after it, an owner record Config.Sessions after its renewal.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const window = time.Minute
		h, list := members(t, Config{Sessions: window}, "a", "b")
		a, b := list[0].Sessions(), list[1].Sessions()
		stored := make(chan error, 1)
		if err := a.Record([]backplane.SessionRecord{{PID: "a.1", State: []byte("x")}}, func(err error) { stored <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-stored; err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		held, err := a.Claim(ctx, backplane.Owner{PID: "x.1", Node: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for range 6 {
			<-time.After(window / 3)
			if lost, err := a.Renew(ctx, []backplane.Owner{held}); err != nil || len(lost) > 0 {
				t.Fatal(lost, err)
			}
		}
		if err := h.Kill("a"); err != nil {
			t.Fatal(err)
		}
		<-time.After(window - time.Second)
		if o, err := b.Owner(ctx, "x.1"); err != nil || o.Node != "a" {
			t.Errorf("owner within the window: %+v, %v", o, err)
		}
		if got := pids(t, b, "a"); len(got) != 1 {
			t.Errorf("journal within the window: %v", got)
		}
		<-time.After(2 * time.Second)
		if o, err := b.Owner(ctx, "x.1"); err != nil || o.Node != "x" || o.Revision != 0 {
			t.Errorf("owner after the window: %+v, %v", o, err)
		}
		if got := pids(t, b, "a"); len(got) > 0 {
			t.Errorf("journal after the window: %v", got)
		}
		if o, err := b.Claim(ctx, backplane.Owner{PID: "x.1", Node: "x"}); err != nil || o.Generation != 1 {
			t.Errorf("claim after the window: %+v, %v", o, err)
		}
	})
}

// TestSessionsBusy: the calls that wait are bounded.
func TestSessionsBusy(t *testing.T) {
	t.Parallel()
	h, list := members(t, Config{Sessions: time.Minute}, "a")
	a := list[0].Sessions()
	h.HoldLogs()
	calls := make(chan error, maxPending)
	for i := range maxPending {
		if err := a.Record([]backplane.SessionRecord{{PID: fmt.Sprint("a.", i), State: []byte("x")}}, func(err error) { calls <- err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Record(nil, func(error) { t.Error("done was called") }); !errors.Is(err, backplane.ErrLogBusy) {
		t.Errorf("one more: %v", err)
	}
	h.ReleaseLogs()
	for range maxPending {
		if err := <-calls; err != nil {
			t.Fatal(err)
		}
	}
	if got := pids(t, a, "a"); len(got) != maxPending {
		t.Errorf("%d of %d stored", len(got), maxPending)
	}
}

// TestFrozenClaim: a frozen member claims when it goes on, and what changed
// meanwhile is told to it then.
func TestFrozenClaim(t *testing.T) {
	t.Parallel()
	h, list := members(t, Config{Sessions: time.Minute}, "a", "b")
	told := make(ownerChan, 10)
	if _, err := list[1].Sessions().WatchOwners(deadline(t), told); err != nil {
		t.Fatal(err)
	}
	if err := h.Freeze("b"); err != nil {
		t.Fatal(err)
	}
	current := backplane.Owner{PID: "x.1", Node: "x"}
	late := make(chan error, 1)
	go func() {
		_, err := list[1].Sessions().Claim(deadline(t), current)
		late <- err
	}()
	want, err := list[0].Sessions().Claim(deadline(t), current)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(told); n > 0 {
		t.Errorf("a frozen member was told %d things", n)
	}
	if err := h.Thaw("b"); err != nil {
		t.Fatal(err)
	}
	if err := <-late; !errors.Is(err, backplane.ErrOwned) {
		t.Errorf("claim of the frozen one: %v", err)
	}
	if got := <-told; got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
}

type ownerChan chan backplane.Owner

func (c ownerChan) Owned(o backplane.Owner) { c <- o }
func (c ownerChan) Forgotten()              {}
