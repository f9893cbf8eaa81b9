package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// members joins members to a new hub and closes them at the end.
func members(t *testing.T, cfg Config, ids ...string) (*Hub, []*Backplane) {
	t.Helper()
	h := NewHub(cfg)
	var list []*Backplane
	for _, id := range ids {
		b, err := h.Join(id)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
		t.Cleanup(func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return h, list
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func numbered(from *Backplane, id int) *backplane.Envelope {
	return &backplane.Envelope{
		Kind: backplane.KindEvent, Origin: from.id, ID: uint64(id), Namespace: "/",
		Frames: protocol.Frames{Text: []byte(`2["m"]`)},
	}
}

var room = backplane.Room("/", "r")

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	h, _ := members(t, Config{}, "a")
	for _, id := range []string{"", "a", strings.Repeat("x", backplane.MaxID+1)} {
		if _, err := h.Join(id); !errors.Is(err, ErrMember) {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, err := range []error{h.Freeze("x"), h.Thaw("x"), h.Kill("x")} {
		if !errors.Is(err, ErrMember) {
			t.Errorf("fault for somebody who is not there: %v", err)
		}
	}
	if got := h.Members(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("members %v", got)
	}
}

func TestNewIsAlone(t *testing.T) {
	t.Parallel()
	a, b := New(), New()
	if a.ID() == b.ID() || len(a.hub.Members()) != 1 {
		t.Errorf("%s and %s, members %v", a.ID(), b.ID(), a.hub.Members())
	}
	for _, m := range []*Backplane{a, b} {
		if err := m.Close(deadline(t)); err != nil {
			t.Error(err)
		}
	}
}

func TestNoLogs(t *testing.T) {
	t.Parallel()
	_, m := members(t, Config{Logs: -1}, "a")
	if l := backplane.LogFor(m[0], "/"); l != nil {
		t.Errorf("there is a log: %v", l)
	}
}

func TestDeadRoster(t *testing.T) {
	t.Parallel()
	_, m := members(t, Config{}, "a", "b")
	if err := m[1].Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range m[0].Request(deadline(t), backplane.Requests("/"), numbered(m[0], 1), []string{"b", "never"}) {
		last = err
	}
	want := []backplane.Failure{{Node: "b", Reason: backplane.ReasonDead}, {Node: "never", Reason: backplane.ReasonDead}}
	if p, ok := errors.AsType[*backplane.PartialError](last); !ok || !slices.Equal(p.Failed, want) || len(p.Missing) > 0 {
		t.Errorf("%v", last)
	}
}

// The members behind a gateway take turns.
func TestGatewayTurns(t *testing.T) {
	t.Parallel()
	_, m := members(t, Config{}, "a", "b", "c")
	for _, b := range m[1:] {
		if _, err := b.Subscribe(backplane.Gateway("/"), func(backplane.Delivery) {}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 90 {
		if err := m[0].Publish(deadline(t), backplane.Gateway("/"), numbered(m[0], i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range m[1:] {
		if err := b.Healthy(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if n := b.Stats().Delivered; n < 30 {
			t.Errorf("%s got %d of 90", b.id, n)
		}
	}
}

// A node that answers more than the requester takes in fails, and says so.
func TestReplyOverflow(t *testing.T) {
	t.Parallel()
	_, m := members(t, Config{}, "a", "b")
	answered := make(chan struct{})
	_, err := m[1].Subscribe(backplane.Requests("/"), func(d backplane.Delivery) {
		for range maxReplies + 2 {
			if err := d.Reply(nil, false); err != nil {
				t.Error(err)
			}
		}
		if err := d.Reply(nil, true); err != nil {
			t.Error(err)
		}
		close(answered)
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for _, err := range m[0].Request(deadline(t), backplane.Requests("/"), numbered(m[0], 1), []string{"b"}) {
		if n == 0 {
			<-answered
		}
		n++
		last = err
	}
	p, ok := errors.AsType[*backplane.PartialError](last)
	if !ok || !slices.Equal(p.Failed, []backplane.Failure{{Node: "b", Reason: backplane.ReasonLost}}) {
		t.Errorf("after %d pairs: %v", n, last)
	}
}

// What a frozen member sends is bounded like what waits for it, and leaves
// before what it sends later.
func TestFrozenOutbox(t *testing.T) {
	t.Parallel()
	h, m := members(t, Config{Queue: 3}, "a", "b")
	got := make(chan uint64, 10)
	if _, err := m[1].Subscribe(room, func(d backplane.Delivery) { got <- d.Envelope.ID }); err != nil {
		t.Fatal(err)
	}
	if err := h.Freeze("a"); err != nil {
		t.Fatal(err)
	}
	var errs []error
	for i := range 5 {
		errs = append(errs, m[0].Publish(deadline(t), room, numbered(m[0], i)))
	}
	want := []error{nil, nil, nil, backplane.ErrDisconnected, backplane.ErrDisconnected}
	if fmt.Sprint(errs) != fmt.Sprint(want) {
		t.Errorf("%v", errs)
	}
	if err := h.Thaw("a"); err != nil {
		t.Fatal(err)
	}
	if err := m[1].Healthy(deadline(t)); err != nil {
		t.Error(err)
	}
	if err := m[0].Publish(deadline(t), room, numbered(m[0], 9)); err != nil {
		t.Error(err)
	}
	for _, want := range []uint64{0, 1, 2, 9} {
		if id := <-got; id != want {
			t.Errorf("%d came, want %d", id, want)
		}
	}
}

// A node alone pays nothing for a backplane (V21).
func TestAllocsAlone(t *testing.T) {
	b := New()
	ctx := deadline(t)
	env := numbered(b, 1)
	env.Target.Rooms = []string{"r"}
	if err := backplane.LogFor(b, "/").Tail(ctx, count{}); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"Publish": func() error { return b.Publish(ctx, room, env) },
		"Append":  func() error { _, err := backplane.LogFor(b, "/").Append(ctx, env); return err },
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}

// Fan-out to other members allocates nothing either, once queues have grown.
func TestAllocsShared(t *testing.T) {
	_, m := members(t, Config{}, "a", "b", "c")
	ctx := t.Context()
	got := make(chan struct{}, 2)
	for _, b := range m[1:] {
		if _, err := b.Subscribe(room, func(backplane.Delivery) { got <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
	}
	env := numbered(m[0], 1)
	n := testing.AllocsPerRun(500, func() {
		if err := m[0].Publish(ctx, room, env); err != nil {
			t.Fatal(err) // nothing would come
		}
		<-got
		<-got
	})
	if n > 4 { // two goroutines start, with a closure each
		t.Errorf("%v allocations", n)
	}
}

type count struct{}

func (count) Apply(backplane.Entry) {}
func (count) Reset(backplane.Reset) {}

func BenchmarkPublishAlone(b *testing.B) {
	m := New()
	env, ctx := numbered(m, 1), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Publish(ctx, room, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAlone(b *testing.B) {
	m := New()
	env, ctx := numbered(m, 1), b.Context()
	if err := backplane.LogFor(m, "/").Tail(ctx, count{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := backplane.LogFor(m, "/").Append(ctx, env); err != nil {
			b.Fatal(err)
		}
	}
}
