package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/internal/testclient"
)

// A client whose connection breaks again and again gets every price once, in
// order, and keeps its id.
func TestNothingIsMissed(t *testing.T) {
	t.Parallel()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	url := testclient.Serve(t, srv, srv.Shutdown)
	c := testclient.Dial(t, url)
	s, err := c.Of("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	prices, connected := testclient.Events(s, "price"), make(chan bool, 100)
	s.OnConnect(func() { connected <- s.Recovered() })
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if testclient.Wait(t, connected) {
		t.Fatal("recovered, and there was nothing before")
	}
	id := s.ID()
	testclient.Call[bool](t, s, "subscribe", "SIOD")

	var got, want []int
	next := func() {
		var symbol string
		var price int
		testclient.Next(t, prices, &symbol, &price)
		got = append(got, price)
	}
	price := 0
	emit := func(n int) {
		for range n {
			price++
			want = append(want, price)
			if err := quote(t.Context(), srv, "SIOD", price); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 5 {
		emit(3)
		for range 3 {
			next()
		}
		c.Drop()
		emit(4) // some of them while nobody listens
		if !testclient.Wait(t, connected) {
			t.Fatalf("not recovered; so far %v", got)
		}
		for range 4 {
			next()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prices -emitted +received:\n%s", diff)
	}
	if s.ID() != id {
		t.Errorf("the id was %s and is %s", id, s.ID())
	}
	if err := pointer(t.Context(), srv, 1, 2); err != nil {
		t.Error(err)
	}
}
