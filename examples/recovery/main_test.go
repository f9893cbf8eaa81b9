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
	c, s := testclient.Connect(t, url, "/", nil)
	id := s.ID()
	prices := testclient.Events(s, "price")
	back := make(chan bool, 100)
	s.OnConnect(func() { back <- s.Recovered() })
	testclient.Call[bool](t, s, "subscribe", "SIOD")

	var got, want []int
	next := func() {
		var symbol string
		var price int
		if err := (<-prices).Decode(&symbol, &price); err != nil || symbol != "SIOD" {
			t.Fatalf("%s: %v", symbol, err)
		}
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
		if !<-back {
			t.Fatal("not recovered")
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
