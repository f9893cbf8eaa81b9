package node_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

func names(all []*node.Namespace) string {
	var out []string
	for _, ns := range all {
		out = append(out, ns.Name())
	}
	return strings.Join(out, " ")
}

func TestPattern(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	orgs := srv.OfPattern(regexp.MustCompile(`/org/(?P<id>\d+)|/o(?P<id2>\d)`))
	node.Handle(orgs.Namespace, "id", func(_ context.Context, s *node.Socket, _ node.None) (string, error) {
		return s.Namespace().Param("id") + s.Namespace().Param("id2") + s.Namespace().Param("other"), nil
	})
	for name, ok := range map[string]bool{"/org/7": true, "/o7": true, "/org/": false, "/org/7/x": false, "/x/org/7": false} {
		p := srv.peer(t, name, nil)
		err := p.Connect(t.Context())
		ce, refused := errors.AsType[*client.ConnectError](err)
		if ok != (err == nil) || !ok && (!refused || ce.Message != "Invalid namespace") {
			t.Errorf("%s: %v", name, err)
		}
		if ok && ask[string](p, "id") != "7" {
			t.Errorf("%s: wrong parameter", name)
		}
	}
	if got := srv.Of("/").Param("id"); got != "" {
		t.Errorf("the root has the parameter %q", got)
	}
}

func TestFunc(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	first := srv.OfFunc(func(_ context.Context, name string, auth protocol.Args) (bool, error) {
		var a struct{ Token string }
		must(t, auth.Decode(protocol.JSON, &a))
		switch a.Token {
		case "panic":
			panic("as planned")
		case "bad":
			return false, node.Refuse("bad token", a.Token)
		}
		return a.Token == name, nil
	})
	srv.OfFunc(func(_ context.Context, name string, _ protocol.Args) (bool, error) { return name == "/second", nil })
	for token, want := range map[string]string{
		"/first": "", "/other": "Invalid namespace", "bad": "bad token", "panic": "not authorized",
	} {
		err := srv.peer(t, "/first", map[string]string{"Token": token}).Connect(t.Context())
		if ce, ok := errors.AsType[*client.ConnectError](err); want == "" && err != nil || want != "" && (!ok || ce.Message != want) {
			t.Errorf("%s: %v", token, err)
		}
	}
	srv.connect(t, "/second", nil)
	srv.connect(t, "/first", map[string]string{"Token": "/first"})
	// The namespace exists, and still not for everybody.
	if err := srv.peer(t, "/first", nil).Connect(t.Context()); err == nil {
		t.Error("the function was not asked for the second client")
	}
	if got := names(first.Children()); got != "/first" {
		t.Errorf("children %s", got)
	}
}

// Namespaces go with their last client, are counted against the cap, and can be
// kept by naming them.
func TestDynamicLife(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		srv := start(t, func(c *node.Config) { c.MaxDynamic, c.KeepEmptyNamespaces = 2, keep })
		ends := make(chan string, 8)
		d := srv.OfPattern(regexp.MustCompile(`/d\d`))
		d.OnDisconnect(func(_ context.Context, s *node.Socket, _ node.Reason) { ends <- s.Namespace().Name() })
		one, two := srv.connect(t, "/d1", nil), srv.connect(t, "/d2", nil)
		err := srv.peer(t, "/d3", nil).Connect(t.Context())
		if ce, ok := errors.AsType[*client.ConnectError](err); !ok || ce.Message != "Too many namespaces" {
			t.Errorf("third: %v", err)
		}
		if n := srv.Stats().NamespacesRefused; n != 1 {
			t.Errorf("%d refused", n)
		}
		adopted := srv.Of("/d2") // does not count any more
		srv.connect(t, "/d3", nil)
		for _, p := range []*peer{one, two} {
			must(t, p.Disconnect())
			wait(t, ends, "OnDisconnect")
		}
		want := "/ /d2 /d3"
		if keep {
			want = "/ /d1 /d2 /d3"
		}
		until(t, func() bool { return names(srv.Namespaces()) == want })
		if again := srv.Of("/d2"); again != adopted {
			t.Error("an adopted namespace was replaced")
		}
		if _, ok := srv.Namespace("/d1"); ok != keep {
			t.Errorf("Namespace found /d1: %t", ok)
		}
	}
}

// Of makes a namespace with the handlers of the pattern that it matches, so
// that no client can get in past its middleware.
func TestOfUsesPattern(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	d := srv.OfPattern(regexp.MustCompile(`/d\d`))
	d.Use(func(context.Context, *node.Socket) error { return node.Refuse("no", nil) })
	ns := srv.Of("/d1")
	if err := srv.peer(t, "/d1", nil).Connect(t.Context()); err == nil {
		t.Error("the pattern's middleware was passed by")
	}
	// What is registered for the one does not concern the others, nor the
	// other way round from then on.
	ns.OnEvent("own", func(_ context.Context, e *node.Event) error { return e.Ack() })
	d.OnEvent("all", func(_ context.Context, e *node.Event) error { return e.Ack() })
	other := srv.Of("/d2")
	if diff := cmp.Diff([][]string{{"own"}, {"all"}, {"all"}}, [][]string{ns.Events(), d.Events(), other.Events()}); diff != "" {
		t.Error(diff)
	}
}

// What is addressed through the pattern concerns all its namespaces.
func TestThroughThePattern(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	d := srv.OfPattern(regexp.MustCompile(`/d\d`))
	d.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room", "room"+s.Namespace().Name()) })
	ctx := t.Context()
	if n, err := d.Broadcast().CountSockets(ctx); n != 0 || err != nil {
		t.Errorf("%d, %v before there is any", n, err)
	}
	peers := []*peer{srv.peer(t, "/d1", nil), srv.peer(t, "/d2", nil)}
	outside := srv.connect(t, "/", nil)
	for i, p := range peers {
		client.Handle(p.Socket, "q", func(context.Context, string) (string, error) { return fmt.Sprint("answer ", i+1), nil })
		must(t, p.Connect(ctx))
	}
	late := make(chan string, 2)
	d.OnEvent("late", func(_ context.Context, e *node.Event) error { late <- e.Socket.Namespace().Name(); return nil })
	peers[0].emit("late")
	if got := wait(t, late, "the event"); got != "/d1" {
		t.Errorf("event in %s", got)
	}
	must(t, d.Emit(ctx, "all"))
	must(t, d.To("room/d2").Emit(ctx, "two"))
	must(t, d.To("room").Except("room/d2").EmitArgs(ctx, "one", protocol.Args{}))
	must(t, d.Send(ctx, "text"))
	peers[0].expect("all", "one", `message "text"`)
	peers[1].expect("all", "two", `message "text"`)
	res, err := d.To("room").CollectAcks(ctx, "q", "x")
	var answers []string
	for _, a := range res.Answers {
		answers = append(answers, string(a.Args.Raw(0)))
	}
	if err != nil || strings.Join(sorted(answers), " ") != `"answer 1" "answer 2"` {
		t.Errorf("%q, %v", answers, err)
	}
	rooms, err := d.Rooms(ctx)
	if diff := cmp.Diff([]string{"room", "room/d1", "room/d2"}, rooms); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff(rooms, d.LocalRooms()); diff != "" {
		t.Error(diff)
	}
	if d.Len() != 2 {
		t.Errorf("%d sockets", d.Len())
	}
	s, ok := d.Socket(peers[1].ID())
	if !ok || s.Namespace().Name() != "/d2" {
		t.Error("no socket")
	}
	for r, err := range d.FetchSockets(ctx) {
		must(t, err)
		must(t, r.Join(ctx, "fetched"))
		break
	}
	if n, err := d.To("fetched").CountSockets(ctx); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := d.ServerSideEmit(ctx, "x"); !errors.Is(err, node.ErrTemplate) {
		t.Errorf("ServerSideEmit: %v", err)
	}
	must(t, d.CloseRoom(ctx, "room"))
	must(t, d.Broadcast().DisconnectSockets(ctx, false))
	for _, p := range peers {
		wait(t, p.ended, "the end")
	}
	outside.none(srv, "end")
}

// A namespace that went and came again is the same to whoever kept it.
func TestKeptNamespace(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	d := srv.OfPattern(regexp.MustCompile(`/d`))
	p := srv.connect(t, "/d", nil)
	kept, _ := srv.Namespace("/d")
	must(t, p.Disconnect())
	until(t, func() bool { _, ok := srv.Namespace("/d"); return !ok })
	must(t, kept.Emit(t.Context(), "to nobody"))
	q := srv.connect(t, "/d", nil)
	if now, _ := srv.Namespace("/d"); now == kept || len(d.Children()) != 1 {
		t.Fatal("it did not go")
	}
	must(t, kept.Emit(t.Context(), "emit"))
	must(t, kept.Broadcast().SocketsJoin(t.Context(), "room"))
	must(t, kept.To("room").Emit(t.Context(), "room"))
	q.expect("emit", "room")
	if n, err := kept.To("room").CountSockets(t.Context()); n != 1 || err != nil || kept.Len() != 1 {
		t.Errorf("%d, %v, %d", n, err, kept.Len())
	}
	if _, ok := kept.Socket(q.ID()); !ok {
		t.Error("no socket")
	}
}
