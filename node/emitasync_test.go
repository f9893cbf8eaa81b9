package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// outcome is a done that hands its error on.
func outcome() (done func(error), c chan error) {
	c = make(chan error, 8)
	return func(err error) { c <- err }, c
}

// While the log takes no writes a client is let in all the same, and the event
// of its OnConnect is stored later, although the handler's context has ended.
func TestEmitAsync(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, recovering)
	hub, ns := all[0].hub, all[0].Of("/")
	far := all[1].connect(t, "/", nil)
	done, stored := outcome()
	entered := make(chan context.Context, 1)
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		entered <- ctx
		for i := range 20 {
			must(t, ns.Broadcast().EmitAsync(ctx, nil, "n", i))
		}
		return ns.Broadcast().EmitAsync(ctx, done, "joined", []byte{1})
	})
	hub.HoldLogs()
	near := all[0].connect(t, "/", nil)
	closed(t, wait(t, entered, "OnConnect").Done(), "the end of OnConnect's context")
	near.quiet(all[0].server)
	if len(stored) > 0 {
		t.Errorf("done was called with %v", <-stored)
	}
	hub.ReleaseLogs()
	must(t, wait(t, stored, "done"))
	for _, p := range []*peer{near, far} {
		for i := range 20 {
			p.sees(fmt.Sprint("n ", i))
		}
		p.sees(`joined {"_placeholder":true,"num":0}`)
	}

	// The caller's own emits see what was stored.
	must(t, ns.Broadcast().EmitAsync(t.Context(), done, "stored"))
	must(t, wait(t, stored, "done"))
	must(t, ns.Emit(t.Context(), "behind"))
	near.sees("stored", "behind")
}

// A deadline ends the wait, and who has no done finds the failure in the log.
func TestEmitAsyncFails(t *testing.T) {
	t.Parallel()
	var log testlog.Buffer
	all := cluster(t, 1, func(c *node.Config) {
		recovering(c)
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	ns := all[0].Of("/")
	p := all[0].connect(t, "/", nil)
	all[0].hub.HoldLogs()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	done, failed := outcome()
	must(t, ns.Broadcast().EmitAsync(ctx, nil, "lost"))
	must(t, ns.Broadcast().EmitAsync(ctx, done, "lost"))
	if err := wait(t, failed, "done"); !errors.Is(err, backplane.ErrLogDown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	until(t, func() bool { return strings.Contains(log.String(), "a durable event could not be stored") })
	all[0].hub.ReleaseLogs()

	// What can be said at once is returned, and done is not called.
	long := strings.Repeat("x", 1000)
	for what, err := range map[string]error{
		"reserved": ns.Broadcast().EmitAsync(ctx, done, "connect"),
		"room":     ns.To(long).EmitAsync(ctx, done, "e"),
		"event":    ns.Broadcast().EmitAsync(ctx, done, long),
		"encoding": ns.Broadcast().EmitAsync(ctx, done, "e", func() {}),
		"fast":     ns.To(long).Fast().EmitAsync(ctx, done, "e"),
		"deadline": ns.Broadcast().EmitAsync(ctx, done, "e"),
		"pattern":  all[0].OfPattern(regexp.MustCompile(`/x`)).Broadcast().EmitAsync(ctx, done, "connect"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	// A panic of done costs nothing else.
	must(t, ns.Broadcast().EmitAsync(t.Context(), func(error) { panic("as planned") }, "e"))
	until(t, func() bool { return all[0].Stats().Panics == 1 })
	p.sees("e")
	must(t, all[0].Shutdown(t.Context()))
	for _, b := range []node.Broadcast{ns.Broadcast(), ns.Broadcast().Fast()} {
		if err := b.EmitAsync(t.Context(), done, "e"); !errors.Is(err, node.ErrClosed) {
			t.Errorf("after Shutdown: %v", err)
		}
	}
	if len(failed) > 0 {
		t.Errorf("done was called: %v", <-failed)
	}
}

// Without a log there is no durable event.
func TestNoLog(t *testing.T) {
	t.Parallel()
	bp, err := memory.NewHub(memory.Config{Logs: -1}).Join(membership.NewID())
	must(t, err)
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	must(t, err)
	srv := startOn(t, bp, self, nil)
	durable := srv.Of("/").Broadcast().Durable()
	done, told := outcome()
	for _, err := range []error{durable.Emit(t.Context(), "e"), durable.EmitAsync(t.Context(), done, "e")} {
		if !errors.Is(err, node.ErrNoLog) {
			t.Errorf("got %v", err)
		}
	}
	if len(told) > 0 {
		t.Error("done was called")
	}
}

// What is not durable is sent before the call returns.
func TestEmitAsyncOfFastEvents(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	p := srv.connect(t, "/", nil)
	done, told := outcome()
	must(t, srv.Of("/").Broadcast().EmitAsync(t.Context(), done, "fast", 1))
	if len(told) != 1 || <-told != nil {
		t.Error("done was not called with nil")
	}
	must(t, srv.Of("/").To(p.ID()).EmitAsync(t.Context(), nil, "fast", 2))
	p.expect("fast 1", "fast 2")
}

// All namespaces of a pattern count as one.
func TestEmitAsyncThroughThePattern(t *testing.T) {
	t.Parallel()
	all := cluster(t, 1, recovering)
	d := all[0].OfPattern(regexp.MustCompile(`/d\d`))
	done, told := outcome()
	must(t, d.Broadcast().EmitAsync(t.Context(), done, "to nobody"))
	must(t, wait(t, told, "done"))
	one, two := all[0].connect(t, "/d1", nil), all[0].connect(t, "/d2", nil)
	all[0].hub.HoldLogs()
	must(t, d.Broadcast().EmitAsync(t.Context(), done, "e"))
	all[0].hub.ReleaseLogs()
	must(t, wait(t, told, "done"))
	one.sees("e")
	two.sees("e")
	all[0].hub.HoldLogs()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	must(t, d.Broadcast().EmitAsync(ctx, done, "e"))
	if err := wait(t, told, "done"); !errors.Is(err, backplane.ErrLogDown) {
		t.Errorf("got %v", err)
	}
	if len(told) > 0 {
		t.Error("done was called twice")
	}
	all[0].hub.ReleaseLogs()
}

// Shutdown waits for what is queued.
func TestEmitAsyncAndShutdown(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, recovering)
	other := all[1].connect(t, "/", nil)
	p := all[0].connect(t, "/", nil)
	all[0].hub.HoldLogs()
	done, told := outcome()
	must(t, all[0].Of("/").Broadcast().EmitAsync(t.Context(), done, "last words"))
	down := make(chan error, 1)
	go func() { down <- all[0].Shutdown(context.Background()) }()
	wait(t, p.ended, "the client's end")
	until(t, func() bool { return node.Running(all[0].Server) == 1 }) // nothing else is left
	if len(down)+len(told) > 0 {
		t.Error("Shutdown did not wait")
	}
	all[0].hub.ReleaseLogs()
	must(t, wait(t, told, "done"))
	must(t, wait(t, down, "Shutdown"))
	other.sees("last words")
}

// A handler that waits for the log delays the events of its own socket, and
// nothing else: neither other sockets, nor what is not durable.
func TestEmitThatWaits(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, recovering)
	ns := all[0].Of("/")
	ns.OnEvent("say", func(ctx context.Context, e *node.Event) error {
		if err := ns.Emit(ctx, "said"); err != nil {
			return err
		}
		return e.Ack("stored")
	})
	ns.OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack("pong") })
	waits, other, far := all[0].connect(t, "/", nil), all[0].connect(t, "/", nil), all[1].connect(t, "/", nil)
	all[0].hub.HoldLogs()
	answers := make(chan string, 2)
	for _, event := range []string{"say", "ping"} {
		must(t, all[0].Go(func(ctx context.Context) error {
			s, err := client.Call[string](ctx, waits.Socket, event)
			answers <- s
			return err
		}))
		if event == "say" { // the second is sent behind it
			until(t, func() bool { return all[0].Stats().Events == 1 })
		}
	}
	if got := ask[string](other, "ping"); got != "pong" {
		t.Errorf("got %s", got)
	}
	ctx := t.Context()
	must(t, ns.Broadcast().Fast().Emit(ctx, "fast"))
	s, _ := ns.Socket(waits.ID())
	must(t, s.Emit(ctx, "direct"))
	for _, p := range []*peer{waits, other, far} {
		p.expect("fast null")
	}
	waits.sees("direct")
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := ns.Emit(short, "given up"); !errors.Is(err, backplane.ErrLogDown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if len(answers) > 0 {
		t.Errorf("answered %q while the log is held", <-answers)
	}
	all[0].hub.ReleaseLogs()
	if got := sorted([]string{wait(t, answers, "an answer"), wait(t, answers, "an answer")}); got[0] != "pong" || got[1] != "stored" {
		t.Errorf("got %q", got)
	}
	for _, p := range []*peer{waits, other, far} {
		p.sees("said")
	}
}
