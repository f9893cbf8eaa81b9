package badinput

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
	"github.com/siod-io/siod/transport"
)

// Rows 7, 32, 44, 48 and 51 where they need handlers or hooks that the program
// under test does not have: these have a server inside the test.

func library(t *testing.T, configure func(*node.Config), register func(*node.Server)) (*node.Server, string) {
	t.Helper()
	bp := memory.New()
	members, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Backplane: bp, Membership: members}
	configure(&cfg)
	srv, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	register(srv)
	hs := httptest.NewServer(srv.Handler(nil))
	t.Cleanup(func() {
		// Polling sessions are given that long to fetch their end.
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		hs.CloseClientConnections()
		hs.Close()
	})
	return srv, hs.Listener.Addr().String()
}

func echoes(srv *node.Server) {
	srv.Of("/").OnEvent("echo", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
}

func nothing(*node.Config) {}

func TestRow07PanicsCostOneEvent(t *testing.T) {
	t.Parallel()
	srv, addr := library(t, nothing, func(srv *node.Server) {
		echoes(srv)
		srv.Of("/").OnEvent("boom", func(context.Context, *node.Event) error { panic("the secret of the house") })
		srv.Of("/boom").OnConnect(func(context.Context, *node.Socket) error { panic("the secret of the house") })
	})
	ws := connect(t, addr)
	ws.Text(`425["boom",1]`)
	if got := ws.ExpectPrefix("435["); strings.Contains(got, "secret") {
		t.Errorf("the client was told %q", got)
	}
	answers(t, ws)
	ws.Text("40/boom,")
	if got := ws.ExpectPrefix("44/boom,"); strings.Contains(got, "secret") {
		t.Errorf("the client was told %q", got)
	}
	answers(t, ws)
	if n := srv.Stats().Panics; n != 2 {
		t.Errorf("%d panics were counted, want 2", n)
	}
}

func TestRow32CookieIsOfNoUseToOthers(t *testing.T) {
	t.Parallel()
	_, addr := library(t, func(c *node.Config) { c.Transport.Cookie = &transport.Cookie{} }, echoes)
	r := wire.Get(t, addr, polling)
	set := r.Header.Values("Set-Cookie")
	if len(set) != 1 {
		t.Fatalf("Set-Cookie: %q", set)
	}
	for _, want := range []string{"io=" + sidOf(t, r.Body), "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(set[0], want) {
			t.Errorf("no %s in the cookie %q", want, set[0])
		}
	}
}

func TestRow44StolenSessionID(t *testing.T) {
	t.Parallel()
	_, addr := library(t, func(c *node.Config) {
		c.Transport.Principal = func(r *http.Request) string {
			if c, err := r.Cookie("user"); err == nil {
				return c.Value
			}
			return ""
		}
	}, echoes)
	as := func(user, method, url, body string) wire.Response {
		r := wire.Request{Method: method, Target: url, Body: body}
		if user != "" {
			r.Header = []string{"Cookie: user=" + user}
		}
		return wire.Do(t, addr, r)
	}
	sid := sidOf(t, as("alice", "GET", polling, "").Body)
	url := polling + "&sid=" + sid
	for _, thief := range []string{"mallory", ""} {
		wantCode(t, as(thief, "GET", url, ""), 403, 4)
		wantCode(t, as(thief, "POST", url, "40"), 403, 4)
		if ws, r := wire.TryDial(t, addr, socket+"&sid="+sid, "Cookie: user="+thief); ws != nil {
			t.Errorf("%q upgraded the session", thief)
		} else {
			wantStatus(t, r, 403)
		}
	}
	if r := as("alice", "POST", url, "40"); r.Body != "ok" {
		t.Fatalf("the owner's POST answered %d %q", r.Status, r.Body)
	}
	if r := as("alice", "GET", url, ""); !strings.HasPrefix(r.Body, "40{") {
		t.Errorf("the owner's poll answered %d %q", r.Status, r.Body)
	}
}

func TestRow48DynamicNamespaces(t *testing.T) {
	t.Parallel()
	var rooms *node.Dynamic
	_, addr := library(t, func(c *node.Config) { c.MaxDynamic = 20 }, func(srv *node.Server) {
		echoes(srv)
		rooms = srv.OfPattern(regexp.MustCompile(`/r\d+`))
	})
	ws := connect(t, addr)
	for i := range 15 { // with the main namespace 16
		ws.Text(fmt.Sprintf("40/r%d,", i))
		ws.ExpectPrefix(fmt.Sprintf("40/r%d,{", i))
	}
	ws.Text("40/r15,")
	ws.ExpectPrefix("44/r15,")
	answers(t, ws)
	other := connect(t, addr)
	for i := range 5 { // with those of the first 20
		other.Text(fmt.Sprintf("40/r%d,", 100+i))
		other.ExpectPrefix(fmt.Sprintf("40/r%d,{", 100+i))
	}
	other.Text("40/r200,")
	other.ExpectPrefix("44/r200,")
	other.Text("40/rx,")
	other.Expect(`44/rx,{"message":"Invalid namespace"}`)
	ws.Close()
	other.Close()
	target.EventuallyTrue(t, "empty namespaces are removed", func() bool { return len(rooms.Children()) == 0 })
}

func TestRow51AnotherClientsAcknowledgement(t *testing.T) {
	t.Parallel()
	sockets := make(chan *node.Socket, 2)
	srv, addr := library(t, nothing, func(srv *node.Server) {
		echoes(srv)
		srv.Of("/").OnConnect(func(_ context.Context, s *node.Socket) error {
			sockets <- s
			return nil
		})
	})
	alice := connect(t, addr)
	asked := <-sockets
	mallory := connect(t, addr)
	<-sockets

	result := make(chan string, 1)
	errs := make(chan error, 1)
	go func() {
		r, err := node.Call[string](t.Context(), asked, "who are you")
		errs <- err
		result <- r
	}()
	question := alice.ExpectPrefix("42")
	id, _, ok := strings.Cut(question, "[")
	if !ok || id == "" {
		t.Fatalf("no id in %q", question)
	}
	mallory.Text("43" + id + `["mallory"]`)
	answers(t, mallory) // so the server has handled it
	alice.Text("43" + id + `["alice"]`)
	if err, got := <-errs, <-result; err != nil || got != "alice" {
		t.Errorf("the answer is %q, %v", got, err)
	}
	alice.Text("43" + id + `["again"]`)
	answers(t, alice)
	if n := srv.Stats().UnknownAcks; n != 2 {
		t.Errorf("%d unknown acknowledgements were counted, want 2", n)
	}
}
