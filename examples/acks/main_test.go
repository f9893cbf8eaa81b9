package main

import (
	"context"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testclient"
)

func serve(t *testing.T) string {
	t.Helper()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	return testclient.Serve(t, srv, srv.Shutdown)
}

func TestAdd(t *testing.T) {
	t.Parallel()
	_, s := testclient.Connect(t, serve(t), "/", nil)
	if got := testclient.Call[int](t, s, "add", 2, 3); got != 5 {
		t.Errorf("2 + 3 = %d", got)
	}
	if got := testclient.Call[map[string]string](t, s, "add", "two", 3); got["error"] != "bad argument" {
		t.Errorf("an argument that does not fit is answered %v", got)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	url := serve(t)
	for _, c := range []struct {
		sure bool
		want string
	}{{true, "deleted"}, {false, "kept"}} {
		_, s := testclient.Connect(t, url, "/", nil)
		client.Handle(s, "sure?", func(_ context.Context, question string) (bool, error) {
			if question != "really delete file?" {
				t.Errorf("asked %q", question)
			}
			return c.sure, nil
		})
		if got := testclient.Call[string](t, s, "delete", "file"); got != c.want {
			t.Errorf("sure = %v: %q, want %q", c.sure, got, c.want)
		}
	}
}

// Three vote, and one of them does not answer.
func TestVote(t *testing.T) {
	t.Parallel()
	url := serve(t)
	var first *client.Socket
	for i, vote := range []any{true, false, true, nil} {
		_, s := testclient.Connect(t, url, "/", nil)
		if i == 0 {
			first = s
		}
		if vote != nil {
			client.Handle(s, "vote?", func(context.Context, string) (any, error) { return vote, nil })
		}
	}
	if got, want := testclient.Call[Tally](t, first, "vote", "tea at five"), (Tally{Yes: 2, No: 1, Silent: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
