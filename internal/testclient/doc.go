// Package testclient connects real clients to a server inside a test.
//
// It stands above package client, for the tests of programs: the examples and
// the commands. Everything it starts ends with the test; what fails, fails the
// test.
//
//	url := testclient.Serve(t, srv, srv.Shutdown)
//	_, s := testclient.Connect(t, url, "/", nil)
//	sum := testclient.Call[int](t, s, "add", 2, 3)
package testclient

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
)

// Patience bounds every wait.
const Patience = 20 * time.Second

// Serve serves h until the test ends, then calls shutdown, and returns its URL.
func Serve(t testing.TB, h http.Handler, shutdown func(context.Context) error) string {
	t.Helper()
	hs := httptest.NewServer(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		hs.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return hs.URL
}

// Dial connects a client that comes back at once when its connection breaks.
func Dial(t testing.TB, url string) *client.Client {
	t.Helper()
	c, err := client.Dial(within(t), url, client.Config{Backoff: func(int) time.Duration { return 10 * time.Millisecond }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		<-c.Done()
	})
	return c
}

// Connect is Dial and the way into a namespace.
func Connect(t testing.TB, url, namespace string, auth any) (*client.Client, *client.Socket) {
	t.Helper()
	c := Dial(t, url)
	s, err := c.Connect(within(t), namespace, auth)
	if err != nil {
		t.Fatalf("connect to %s: %v", namespace, err)
	}
	return c, s
}

// Refused connects to a namespace that must refuse it, and returns why.
func Refused(t testing.TB, url, namespace string, auth any) *client.ConnectError {
	t.Helper()
	_, err := Dial(t, url).Connect(within(t), namespace, auth)
	ce, ok := errors.AsType[*client.ConnectError](err)
	if !ok {
		t.Fatalf("connect to %s: %v, and it should be refused", namespace, err)
	}
	return ce
}

// Call emits an event and decodes the acknowledgement.
func Call[R any](t testing.TB, s *client.Socket, event string, args ...any) R {
	t.Helper()
	r, err := client.Call[R](within(t), s, event, args...)
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return r
}

// Events delivers the events of a name, in order.
func Events(s *client.Socket, name string) <-chan *client.Event {
	ch := make(chan *client.Event, 1024)
	s.On(name, func(e *client.Event) { ch <- e })
	return ch
}

// Next decodes the arguments of the next event into dst, pointers.
func Next(t testing.TB, events <-chan *client.Event, dst ...any) {
	t.Helper()
	e := Wait(t, events)
	if err := e.Decode(dst...); err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
}

// Next1 decodes the first argument of the next event.
func Next1[T any](t testing.TB, events <-chan *client.Event) (v T) {
	t.Helper()
	Next(t, events, &v)
	return v
}

// Wait returns the next value of a channel.
func Wait[T any](t testing.TB, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(Patience):
		t.Fatalf("nothing in %v", Patience)
	}
	return v
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}
