package node_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/node"
)

// lines is a slog.Handler that keeps what is logged, by message and handler.
type lines struct {
	slog.Handler
	mu   sync.Mutex
	seen map[string][]string // stacks, or nothing
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	key, stack := r.Message, ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "handler":
			key += ": " + a.Value.String()
		case "stack":
			stack = a.Value.String()
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[key] = append(l.seen[key], stack)
	return nil
}

// Clients cannot fill the log, and a flood of one kind of lines hides no other.
func TestLinesThatClientsCause(t *testing.T) {
	t.Parallel()
	log := &lines{Handler: slog.DiscardHandler, seen: make(map[string][]string)}
	srv := start(t, func(c *node.Config) { c.Logger = slog.New(log) })
	ns := srv.Of("/")
	ns.OnEvent("fail", func(context.Context, *node.Event) error { return errors.New("as planned") })
	ns.OnEvent("panic", func(context.Context, *node.Event) error { panic("as planned") })
	ns.OnEvent("data", func(context.Context, *node.Event) error { return &node.EventError{Message: "no", Data: func() {}} })
	srv.Of("/error").Use(func(context.Context, *node.Socket) error { return errors.New("as planned") })
	srv.Of("/late").Use(func(context.Context, *node.Socket) error { return context.DeadlineExceeded })
	srv.Of("/data").Use(func(context.Context, *node.Socket) error { return node.Refuse("no", func() {}) })
	srv.Of("/panic").Use(func(context.Context, *node.Socket) error { panic("as planned") })
	began := time.Now()
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	const n = 100
	for range n {
		r.send(`421["fail"]`, `421["panic"]`, `421["data"]`)
		for range 3 {
			r.expectPrefix(`431[{"error":`)
		}
		for _, name := range []string{"/error", "/late", "/data", "/panic"} {
			r.send("40" + name + ",")
			r.expectPrefix("44" + name + ",")
		}
		bad := srv.raw(t, "4", "")
		bad.send("4x")
		bad.closed()
	}
	most := 10 * (int(time.Since(began)/time.Second) + 1)
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, kind := range []string{
		"event handler failed", "handler panicked: event", "data of an EventError cannot be sent",
		"connection refused by an error that is not a ConnectError", "connecting took longer than ConnectTimeout",
		"data of a refusal cannot be sent: it must be JSON without binary values", "handler panicked: middleware", "malformed packet",
	} {
		if got := len(log.seen[kind]); got < 10 || got > most {
			t.Errorf("%s: %d lines, want 10 to %d", kind, got, most)
		}
	}
	for _, stack := range log.seen["handler panicked: event"] {
		if !strings.Contains(stack, "sparse_test.go") {
			t.Errorf("stack %q", stack)
		}
	}
	if st := srv.Stats(); st.Panics != 2*n || st.Malformed != n {
		t.Errorf("%d panics and %d malformed packets counted", st.Panics, st.Malformed)
	}
}
