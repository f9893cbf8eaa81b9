package main

import (
	"testing"

	"github.com/siod-io/siod/internal/testclient"
)

func TestSay(t *testing.T) {
	t.Parallel()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	url := testclient.Serve(t, srv, srv.Shutdown)
	_, ada := testclient.Connect(t, url, "/", nil)
	_, bob := testclient.Connect(t, url, "/", nil)
	said := testclient.Events(bob, "said")
	if !testclient.Call[bool](t, ada, "say", "hello") {
		t.Error("not acknowledged")
	}
	var who, text string
	if testclient.Next(t, said, &who, &text); who != ada.ID() || text != "hello" {
		t.Errorf("%q said %q", who, text)
	}
}
