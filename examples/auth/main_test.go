package main

import (
	"encoding/json"
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

func token(s string) map[string]string { return map[string]string{"token": s} }

func TestOpen(t *testing.T) {
	t.Parallel()
	_, s := testclient.Connect(t, serve(t), "/", nil)
	if got := testclient.Call[string](t, s, "time?"); got != "tea time" {
		t.Errorf("it is %s", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	url := serve(t)
	for _, c := range []struct {
		auth    any
		message string
		code    string
	}{
		{nil, "a token is needed", "no_token"},
		{token(""), "a token is needed", "no_token"},
		{token("made up"), "the token is not valid", "bad_token"},
	} {
		err := testclient.Refused(t, url, "/staff", c.auth)
		var data struct{ Code string }
		if json.Unmarshal(err.Data, &data) != nil || err.Message != c.message || data.Code != c.code {
			t.Errorf("%v: %q with %s", c.auth, err.Message, err.Data)
		}
	}
}

func TestUsersAndRoles(t *testing.T) {
	t.Parallel()
	url := serve(t)
	_, guest := testclient.Connect(t, url, "/", nil)
	_, ada := testclient.Connect(t, url, "/staff", token("s3cret-of-ada"))
	_, bob := testclient.Connect(t, url, "/staff", token("s3cret-of-bob"))
	_, bob2 := testclient.Connect(t, url, "/staff", token("s3cret-of-bob"))
	if got := testclient.Call[Account](t, bob, "who am I?"); got != (Account{Name: "bob"}) {
		t.Errorf("bob is %+v", got)
	}

	told, told2, toldAda := testclient.Events(bob, "told"), testclient.Events(bob2, "told"), testclient.Events(ada, "told")
	testclient.Call[bool](t, ada, "tell", "bob", "hello")
	for _, events := range []<-chan *client.Event{told, told2} {
		var from, text string
		if testclient.Next(t, events, &from, &text); from != "ada" || text != "hello" {
			t.Errorf("%q told %q", from, text)
		}
	}
	if len(toldAda) != 0 {
		t.Error("ada was told too")
	}

	announced := testclient.Events(guest, "announcement")
	if got := testclient.Call[map[string]string](t, bob, "admin:announce", "x"); got["error"] != "only administrators may do this" {
		t.Errorf("bob's announcement is answered %v", got)
	}
	testclient.Call[bool](t, ada, "admin:announce", "closed on Sunday")
	if got := testclient.Next1[string](t, announced); got != "closed on Sunday" {
		t.Errorf("announced %q", got)
	}
}
