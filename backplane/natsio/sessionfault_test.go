package natsio_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
)

func sessionsOf(t testing.TB, m *member) backplane.Sessions {
	t.Helper()
	s, ok := backplane.AsSessions(m.Backplane)
	if !ok {
		t.Fatal("no sessions")
	}
	return s
}

// record records and waits until it is stored.
func record(t testing.TB, m *member, changes ...backplane.SessionRecord) {
	t.Helper()
	stored := make(chan error, 1)
	if err := sessionsOf(t, m).Record(changes, func(err error) { stored <- err }); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-stored:
		if err != nil {
			t.Fatal(err)
		}
	case <-waiting(t).Done():
		t.Fatal("a record was not stored")
	}
}

func load(t testing.TB, m *member, home string) map[string]string {
	t.Helper()
	states := make(map[string]string)
	for r, err := range sessionsOf(t, m).Load(waiting(t), home) {
		if err != nil {
			t.Fatalf("load of %s: %v", home, err)
		}
		states[r.PID] = string(r.State)
	}
	return states
}

func session(pid, state string) backplane.SessionRecord {
	return backplane.SessionRecord{PID: pid, State: []byte(state)}
}

// TestNoSessionStore: a node without it has no sessions.
func TestNoSessionStore(t *testing.T) {
	t.Parallel()
	a := newCluster(t).join(t, "a")
	if s, ok := backplane.AsSessions(a.Backplane); ok || s != nil || a.SessionStats() != (natsio.SessionStats{}) {
		t.Errorf("sessions %v, %+v", s, a.SessionStats())
	}
}

// TestSessionsCut: however often the connection breaks, what is acknowledged is
// stored, and nothing goes back.
func TestSessionsCut(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{})
	a, b := c.join(t, "a"), c.join(t, "b")
	ctx, stop := context.WithCancel(waiting(t))
	defer stop()
	var stored atomic.Int64
	recorded := make(chan int64, 1)
	go func() {
		last := int64(-1)
		for n := int64(0); ctx.Err() == nil; n++ { // each call has an n of its own
			last = n
			done := make(chan struct{})
			err := sessionsOf(t, a).Record([]backplane.SessionRecord{session("a.1", strconv.FormatInt(n, 10)), session(fmt.Sprint("a.x", n%50), "x")}, func(err error) {
				if err != nil {
					t.Error(err)
				}
				stored.Store(n)
				close(done)
			})
			if err != nil {
				t.Error(err)
			}
			if n%3 == 0 {
				<-done
			}
		}
		recorded <- last
	}()
	seen := int64(-1)
	look := func() {
		t.Helper()
		least := stored.Load() - 3 // of those under way together, the last may be done first
		text, ok := load(t, b, "a")["a.1"]
		n, err := strconv.ParseInt(text, 10, 64)
		if ok && err != nil || n < least || n < seen {
			t.Fatalf("%q is loaded after %d, and %d was stored", text, seen, least)
		}
		seen = n
	}
	for range 5 {
		before := stored.Load()
		until(t, func() bool { look(); return stored.Load() > before+5 })
		a.cable.sever()
		look()
		a.cable.mend()
	}
	stop()
	last := <-recorded
	until(t, func() bool { return stored.Load() == last })
	if look(); seen != last {
		t.Errorf("%d is loaded in the end, want %d", seen, last)
	}
}

// TestSessionsExpire: sessions of a node that lives stay, changed or not; those
// of a dead one go, and so do owner records that nobody renews.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{Window: time.Second})
	a, b := c.join(t, "a"), c.join(t, "b")
	const n = 40
	for i := range n {
		record(t, a, session(fmt.Sprint("a.", i), "x"))
	}
	record(t, b, session("b.1", "x"))
	kept, err := sessionsOf(t, a).Claim(waiting(t), backplane.Owner{PID: "x.kept", Node: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sessionsOf(t, a).Claim(waiting(t), backplane.Owner{PID: "x.gone", Node: "x"}); err != nil {
		t.Fatal(err)
	}
	c.kill(t, "b")
	owner := func(pid string) backplane.Owner {
		t.Helper()
		o, err := sessionsOf(t, a).Owner(waiting(t), pid)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if got := load(t, a, "b"); len(got) != 1 {
		t.Errorf("the journal of a dead node: %v", got)
	}
	until(t, func() bool {
		if lost, err := sessionsOf(t, a).Renew(waiting(t), []backplane.Owner{kept}); err != nil || len(lost) > 0 {
			t.Fatal(lost, err)
		}
		if got := load(t, a, "a"); len(got) != n {
			t.Fatalf("%d sessions of %d are left", len(got), n)
		}
		return len(load(t, a, "b")) == 0 && owner("x.gone").Generation == 0 && a.SessionStats().Moved > 5*n
	})
	if o := owner("x.kept"); o.Node != "a" || o.Generation != 1 {
		t.Errorf("a renewed record: %+v", o)
	}
}

// TestSessionsFull: a store that is full refuses what is new, and keeps what it
// has; what waits is stored when something expired.
func TestSessionsFull(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{Window: time.Second, MaxBytes: 1 << 20})
	a, b := c.join(t, "a"), c.join(t, "b")
	record(t, a, session("a.1", "old"))
	var stored atomic.Int64
	const n = 10
	for i := range n { // more than fits
		if err := sessionsOf(t, b).Record([]backplane.SessionRecord{session(fmt.Sprint("b.", i), string(make([]byte, 200<<10)))}, func(error) { stored.Add(1) }); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return b.SessionStats().Failed > 0 })
	if s := stored.Load(); s == 0 || s == n {
		t.Errorf("%d of %d are stored", s, n)
	}
	c.kill(t, "b")
	record(t, a, session("a.1", "new")) // waits until those expired
	if got := load(t, a, "a"); got["a.1"] != "new" {
		t.Errorf("journal %v", got)
	}
}

// TestSessionsForeign: what others write to the store harms nobody, and an old
// message that comes late does not count.
func TestSessionsForeign(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{})
	a, b := c.join(t, "a"), c.join(t, "b")
	record(t, a, session("a.1", "old"))
	nc, js := c.operator(t)
	stream, err := js.Stream(waiting(t), c.space(t).SessionStream())
	if err != nil {
		t.Fatal(err)
	}
	old, err := stream.GetLastMsgForSubject(waiting(t), c.space(t).Journal("a", "1"))
	if err != nil {
		t.Fatal(err)
	}
	record(t, a, session("a.1", "new"))
	put := func(subject string, data []byte) {
		t.Helper()
		if _, err := js.PublishMsg(waiting(t), &nats.Msg{Subject: subject, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	told := make(chan backplane.Owner, 10)
	if _, err := sessionsOf(t, b).WatchOwners(waiting(t), ownerChan(told)); err != nil {
		t.Fatal(err)
	}
	space := c.space(t)
	put(space.Journal("a", "1"), old.Data)
	put(space.Journal("a", "1"), []byte("nonsense"))
	put(space.Journal("a", "7"), []byte{1, 0x0a, 1, 'b', 0x10, 99, 0x1a, 7, 0x0a, 1, '2', 0x22, 2, 'x', 'x'}) // of another home
	put(space.Owner("a.1"), []byte("nonsense"))
	put(space.Owner("a.2"), []byte{1, 0x0a, 3, 'a', '.', '9', 0x12, 1, 'b', 0x18, 5}) // of another session
	if err := nc.Publish(space.Owned("a.3"), []byte{1, 0x0a, 3, 'a', '.', '3', 0x12, 1, 'b', 0x18, 5}); err != nil {
		t.Fatal(err) // not from the store: it has no sequence
	}
	if got := load(t, b, "a"); len(got) != 1 || got["a.1"] != "new" {
		t.Errorf("journal %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, pid := range []string{"a.1", "a.2"} {
		if o, err := sessionsOf(t, b).Owner(ctx, pid); err == nil {
			t.Errorf("owner of %s: %+v", pid, o)
		}
	}
	want, err := sessionsOf(t, a).Claim(waiting(t), backplane.Owner{PID: "a.4", Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
	if b.SessionStats().Malformed == 0 {
		t.Error("nothing is counted")
	}
}

type ownerChan chan backplane.Owner

func (c ownerChan) Owned(o backplane.Owner) { c <- o }
func (c ownerChan) Forgotten()              {}

// TestSessionsProvision: a stream that is there is used if it does what it has
// to.
func TestSessionsProvision(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{})
	connect := func(cfg natsio.SessionConfig) error {
		t.Helper()
		b, err := natsio.Connect(waiting(t), natsio.Config{ID: "x", InProcess: c.server[0], Options: c.server[0].NodeOptions(), Sessions: &cfg})
		if err != nil {
			return err
		}
		return b.Close(waiting(t))
	}
	if err := connect(natsio.SessionConfig{Existing: true}); !errors.Is(err, natsio.ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
	if err := connect(natsio.SessionConfig{Replicas: 2}); !errors.Is(err, natsio.ErrConfig) {
		t.Errorf("2 replicas: %v", err)
	}
	_, js := c.operator(t)
	for name, change := range map[string]func(*natsio.SessionConfig){
		"as it is": func(*natsio.SessionConfig) {}, "longer": func(c *natsio.SessionConfig) { c.Window *= 2 },
	} {
		cfg := natsio.SessionConfig{Window: time.Minute}
		change(&cfg)
		stream := natsio.SessionStream(c.space(t), cfg)
		if _, err := js.CreateStream(waiting(t), stream); err != nil {
			t.Fatal(err)
		}
		if err := connect(natsio.SessionConfig{Window: time.Minute, Existing: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := js.DeleteStream(waiting(t), stream.Name); err != nil {
			t.Fatal(err)
		}
	}
	foreign := natsio.SessionStream(c.space(t), natsio.SessionConfig{})
	foreign.AllowRollup, foreign.DenyPurge = false, true
	if _, err := js.CreateStream(waiting(t), foreign); err != nil {
		t.Fatal(err)
	}
	if err := connect(natsio.SessionConfig{}); !errors.Is(err, natsio.ErrForeignStream) {
		t.Errorf("without rollups: %v", err)
	}
}

// TestSessionsWentBack: a store that lost what it had is noticed by the first
// thing it stores, without a look at it, as a stream in memory keeps the time of
// its creation when its server lost the rest.
func TestSessionsWentBack(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{Check: time.Hour})
	a, b := c.join(t, "a"), c.join(t, "b")
	for i := range 20 {
		record(t, a, session(fmt.Sprint("a.", i), "x"))
	}
	if _, err := sessionsOf(t, a).Claim(waiting(t), backplane.Owner{PID: "x.1", Node: "x"}); err != nil {
		t.Fatal(err)
	}
	forgotten := make(forgets, 10)
	if _, err := sessionsOf(t, a).WatchOwners(waiting(t), forgotten); err != nil {
		t.Fatal(err)
	}
	_, js := c.operator(t)
	stream := natsio.SessionStream(c.space(t), c.cfg)
	if err := js.DeleteStream(waiting(t), stream.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(waiting(t), stream); err != nil {
		t.Fatal(err)
	}
	record(t, a, session("a.0", "y"))
	select {
	case <-forgotten:
	case <-waiting(t).Done():
		t.Fatal("nobody was told")
	}
	until(t, func() bool { got := load(t, b, "a"); return len(got) == 20 && got["a.0"] == "y" })
	if s := a.SessionStats(); s.Forgotten != 1 {
		t.Errorf("forgotten %d times", s.Forgotten)
	}
}

type forgets chan struct{}

func (f forgets) Owned(backplane.Owner) {}
func (f forgets) Forgotten()            { f <- struct{}{} }

// TestSessionsFloor: a node that knows that the store lost its newest records
// does not use the older ones.
func TestSessionsFloor(t *testing.T) {
	t.Parallel()
	c := newSessionCluster(t, natsio.SessionConfig{})
	a, b, dead := c.join(t, "a"), c.join(t, "b"), c.join(t, "c")
	record(t, dead, session("c.1", "x"))
	record(t, a, session("a.1", "x"))
	c.kill(t, "c")
	for _, m := range []*member{a, b} {
		if got := load(t, m, "c"); got["c.1"] != "x" {
			t.Errorf("journal %v", got)
		}
	}
	natsio.LoseSessions(b.Backplane)
	natsio.LoseSessions(a.Backplane)
	if got := load(t, b, "c"); len(got) > 0 {
		t.Errorf("the journal of a dead node: %v", got)
	}
	until(t, func() bool { return load(t, b, "a")["a.1"] == "x" })
	record(t, a, session("a.1", "y"))
	if got := load(t, b, "a"); got["a.1"] != "y" {
		t.Errorf("journal %v", got)
	}
}
