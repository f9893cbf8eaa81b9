package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/siod-io/siod/internal/testclient"
)

func TestOrders(t *testing.T) {
	t.Parallel()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	url := testclient.Serve(t, routes(srv), srv.Shutdown)
	_, cook := testclient.Connect(t, url, "/kitchen", nil)
	orders := testclient.Events(cook, "order")
	for _, c := range []struct {
		order  string
		status int
	}{{"coffee", http.StatusAccepted}, {strings.Repeat("x", 2000), http.StatusRequestEntityTooLarge}, {"tea", http.StatusAccepted}} {
		if got := post(t, url+"/orders", c.order); got != c.status {
			t.Errorf("%.10s: %d, want %d", c.order, got, c.status)
		}
	}
	for _, want := range []string{"coffee", "tea"} {
		if got := testclient.Next1[string](t, orders); got != want {
			t.Errorf("the kitchen got %q, want %q", got, want)
		}
	}
	res, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the program's own page: %d", res.StatusCode)
	}
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	res, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
