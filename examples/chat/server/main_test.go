package main

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/internal/testclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The page and the chat are on one address.
func TestServer(t *testing.T) {
	t.Parallel()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	url := testclient.Serve(t, srv.Handler(chat.Page(chat.PageConfig{})), srv.Shutdown)
	res, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the page: %d", res.StatusCode)
	}
	_, s := testclient.Connect(t, url, "/", map[string]string{"name": "Ada"})
	if got := testclient.Call[chat.Joined](t, s, "join", "lobby"); got.Room != "lobby" || len(got.People) != 1 {
		t.Errorf("joined %+v", got)
	}
}
