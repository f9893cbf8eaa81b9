package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// What OnConnect sends, and what others broadcast meanwhile, follows the
// CONNECT packet in the order in which it was sent.
func TestConnectComesFirst(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	entered, resume := make(chan *node.Socket), make(chan struct{})
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		must(t, s.Join("room"))
		must(t, s.Emit(ctx, "own", 1))
		entered <- s
		<-resume
		return s.Emit(ctx, "own", 2)
	})
	r := srv.raw(t, "4", "")
	r.send("40")
	s := wait(t, entered, "OnConnect")
	if s.Connected() {
		t.Error("connected before OnConnect returned")
	}
	must(t, ns.Emit(t.Context(), "all", 1))
	must(t, ns.To("room").Emit(t.Context(), "room", 1))
	must(t, ns.To(s.ID()).Emit(t.Context(), "id", 1))
	must(t, ns.To("elsewhere").Emit(t.Context(), "never"))
	must(t, s.To("room").Emit(t.Context(), "never"))
	close(resume)
	r.expect(fmt.Sprintf(`40{"sid":"%s"}`, s.ID()), `42["own",1]`, `42["all",1]`, `42["room",1]`, `42["id",1]`, `42["own",2]`)
	must(t, ns.Emit(t.Context(), "live"))
	r.expect(`42["live"]`)
	if !s.Connected() {
		t.Error("not connected")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	data := map[string]any{"code": 7}
	refusals := map[string]struct {
		err             error
		modern, ancient string // payloads
	}{
		"/data":   {node.Refuse("no", data), `{"message":"no","data":{"code":7}}`, `{"code":7}`},
		"/plain":  {node.Refuse("no", nil), `{"message":"no"}`, `"no"`},
		"/zero":   {node.Refuse("no", 0), `{"message":"no","data":0}`, `0`},
		"/wrap":   {fmt.Errorf("outer: %w", node.Refuse("inner", nil)), `{"message":"inner"}`, `"inner"`},
		"/secret": {errors.New("password of root is x"), `{"message":"not authorized"}`, `"not authorized"`},
		"/binary": {node.Refuse("no", []byte{1}), `{"message":"no"}`, `"no"`},
	}
	for name, r := range refusals {
		srv.Of(name).Use(func(context.Context, *node.Socket) error { return r.err })
		srv.Of(name + "-late").OnConnect(func(ctx context.Context, s *node.Socket) error {
			must(t, s.Emit(ctx, "never"))
			return r.err
		})
	}
	srv.Of("/panic").Use(func(context.Context, *node.Socket) error { panic("as planned") })
	refusals["/panic"] = refusals["/secret"]
	unknown := refusals["/plain"]
	unknown.modern, unknown.ancient = `{"message":"Invalid namespace"}`, `"Invalid namespace"`
	refusals["/unknown"] = unknown

	for name, want := range refusals {
		for _, suffix := range []string{"", "-late"} {
			if suffix != "" && want.err == nil || strings.HasPrefix(name, "/panic") || strings.HasPrefix(name, "/unknown") {
				suffix = ""
			}
			ns := name + suffix
			t.Run(ns[1:], func(t *testing.T) {
				t.Parallel()
				r := srv.raw(t, "4", "")
				r.send("40" + ns + ",")
				r.expect("44" + ns + "," + want.modern)
				r.send("40" + ns + ",") // it may try again
				r.expect("44" + ns + "," + want.modern)
				old := srv.raw(t, "3", "")
				old.expect("40")
				old.send("40" + ns + "?a=b")
				old.expect("44" + ns + "," + want.ancient)
			})
		}
	}
}

// The typed client sees the refusal as an error with its data.
func TestConnectErrorData(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	srv.Of("/no").Use(func(context.Context, *node.Socket) error { return node.Refuse("later", []int{1, 2}) })
	err := srv.peer(t, "/no", nil).Connect(t.Context())
	ce, ok := errors.AsType[*client.ConnectError](err)
	if !ok || ce.Message != "later" || string(ce.Data) != "[1,2]" {
		t.Errorf("got %#v", err)
	}
	if n := srv.Stats().ConnectErrors; n != 1 {
		t.Errorf("%d refusals counted", n)
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	node.Handle(srv.Of("/chat"), "who", func(_ context.Context, s *node.Socket, _ node.None) (map[string]any, error) {
		var auth map[string]any
		must(t, s.Auth(&auth))
		return map[string]any{
			"auth": auth, "token": s.Query().Get("token"), "engine": s.Query().Get("EIO"), "revision": s.Revision(),
			"transport": s.Transport(), "ns": s.Namespace().Name(), "header": s.Handshake().Header().Get("X-Test"),
		}, nil
	})
	c := srv.dial(t, func(c *client.Config) {
		c.Header = map[string][]string{"X-Test": {"yes"}}
		c.Query = map[string][]string{"token": {"url"}}
	})
	p := newPeer(t, c, "/chat", map[string]any{"user": "ada"})
	must(t, p.Connect(t.Context()))
	want := map[string]any{
		"auth": map[string]any{"user": "ada"}, "token": "url", "engine": "4", "revision": 4.0,
		"transport": "websocket", "ns": "/chat", "header": "yes",
	}
	if diff := cmp.Diff(want, ask[map[string]any](p, "who")); diff != "" {
		t.Error(diff)
	}

	// Clients of 2.x put it into the namespace; both places show it.
	old := srv.raw(t, "3", "&token=url")
	old.expect("40")
	old.send("40/chat?token=own&user=bob,")
	old.expect("40/chat,")
	old.send(`42/chat?token=own&user=bob,7["who"]`)
	var got []map[string]any
	must(t, json.Unmarshal([]byte(old.expectPrefix("43/chat,7")), &got))
	want = map[string]any{
		"auth": map[string]any{"token": "own", "user": "bob"}, "token": "own", "engine": "3", "revision": 3.0,
		"transport": "websocket", "ns": "/chat", "header": "",
	}
	if diff := cmp.Diff([]map[string]any{want}, got); diff != "" {
		t.Error(diff)
	}
}

// Clients of 1.x and 2.x compute their ids from the session's.
func TestOldIDs(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ids := make(chan string, 2)
	for _, name := range []string{"/", "/chat"} {
		srv.Of(name).OnConnect(func(_ context.Context, s *node.Socket) error {
			ids <- s.ID()
			return nil
		})
	}
	r := srv.raw(t, "3", "")
	r.expect("40")
	sid := wait(t, ids, "the root's id")
	r.send("40/chat")
	r.expect("40/chat,")
	if got := wait(t, ids, "the namespace's id"); got != "/chat#"+sid {
		t.Errorf("id %q with session %q", got, sid)
	}
	must(t, srv.Of("/chat").To("/chat#"+sid).Emit(t.Context(), "here"))
	r.expect(`42/chat,["here"]`)
}

func TestConnectTwice(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	srv.Of("/chat")
	old := srv.raw(t, "3", "")
	old.expect("40")
	old.send("40/chat", "40/chat", "40")
	old.expect("40/chat,", "40/chat,", "40")
	if n := srv.Of("/chat").Len(); n != 1 {
		t.Errorf("%d sockets", n)
	}
	r := srv.raw(t, "4", "")
	r.send("40/chat,")
	r.expectPrefix("40/chat,")
	r.send("40/chat,")
	r.closed()
}

// A packet for a namespace that is not connected ends the connection of a new
// client and is ignored from an old one.
func TestStrayPackets(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	ns.OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
	for _, packet := range []string{`42/other,["a"]`, `43/other,1[]`, `42/other,1["a"]`, `44{"message":"no"}`} {
		r := srv.raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40")
		r.send(packet)
		r.closed()
	}
	r := srv.raw(t, "3", "")
	r.expect("40")
	r.send(`42/other,["a"]`, `43/other,1[]`, `41/other`, `421["ping"]`)
	r.expect("431[]")
	r = srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	r.send(`41/other,`, `421["ping"]`) // leaving where one is not harms nobody
	r.expect("431[]")
}

// A connection that ends while OnConnect runs is one more connect and
// disconnect, and the handler is told by its context.
func TestConnectionLostWhileConnecting(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	entered, order := make(chan *node.Socket), make(chan string, 8)
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		must(t, s.Join("room"))
		srv.Go(func(context.Context) error {
			<-s.Context().Done()
			order <- "context"
			return nil
		})
		entered <- s
		<-ctx.Done()
		return nil
	})
	ns.OnDisconnecting(func(_ context.Context, s *node.Socket, r node.Reason) {
		order <- fmt.Sprint("disconnecting ", r, " ", len(s.Rooms()))
	})
	ns.OnDisconnect(func(_ context.Context, s *node.Socket, r node.Reason) {
		order <- fmt.Sprint("disconnect ", r, " ", len(s.Rooms()))
	})
	r := srv.raw(t, "4", "")
	r.send("40")
	wait(t, entered, "OnConnect")
	_ = r.conn.Close()
	got := []string{wait(t, order, "1"), wait(t, order, "2"), wait(t, order, "3")}
	want := []string{"context", "disconnect transport close 0", "disconnecting transport close 2"}
	if diff := cmp.Diff(want, sorted(got)); diff != "" {
		t.Error(diff)
	}
	if st := srv.Stats(); st.Connects != 1 || st.Disconnects != 1 {
		t.Errorf("%d connects, %d disconnects", st.Connects, st.Disconnects)
	}
}

// The same for a client that leaves the namespace before it is let in, and comes
// back to it.
func TestLeftWhileConnecting(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	srv.Of("/other").OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
	var n atomic.Int32
	entered, ends := make(chan struct{}), make(chan node.Reason, 1)
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		if n.Add(1) > 1 {
			return nil
		}
		entered <- struct{}{}
		<-ctx.Done()
		return nil
	})
	ns.OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) { ends <- r })
	r := srv.raw(t, "4", "")
	r.send("40/other,")
	r.expectPrefix("40/other,")
	r.send("40")
	<-entered
	r.send("41")
	if got := wait(t, ends, "OnDisconnect"); got != transport.ReasonClientNamespace {
		t.Errorf("reason %q", got)
	}
	r.send("40")
	r.expectPrefix(`40{"sid"`)
	r.send(`42/other,1["ping"]`)
	r.expect("43/other,1[]")
}

// A client that left is not refused any more: it would take that for the answer to
// its coming again.
func TestLeftIsNotRefused(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	before := node.Running(srv.Server)
	var n atomic.Int32
	entered, resume := make(chan struct{}), make(chan struct{})
	srv.Of("/a").Use(func(ctx context.Context, _ *node.Socket) error {
		first := n.Add(1) == 1
		entered <- struct{}{}
		if !first {
			<-resume
			return nil
		}
		<-ctx.Done()
		return node.Refuse("for the first", nil)
	})
	r := srv.raw(t, "4", "")
	r.send("40/a,")
	wait(t, entered, "the first")
	r.send("41/a,", "40/a,")
	wait(t, entered, "the second")
	until(t, func() bool { return node.Running(srv.Server) == before+1 })
	close(resume)
	r.expectPrefix(`40/a,{"sid"`)
	if n := srv.Stats().ConnectErrors; n != 0 {
		t.Errorf("%d refusals counted", n)
	}
}

// What runs for a client that enters and leaves again and again is bounded,
// whatever the application does with its contexts.
func TestEnterAndLeaveWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		entry  []string // what enters, waits and leaves
		answer string   // to the entry
	}{
		"middleware": {[]string{"40/use,", "41/use,"}, ""},
		"OnConnect":  {[]string{"40/connect,", "41/connect,"}, ""},
		"event":      {[]string{"40/event,", `42/event,["slow"]`, "41/event,"}, `40/event,{"sid"`},
		"end":        {[]string{"40/end,", "41/end,"}, `40/end,{"sid"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, func(c *node.Config) { c.MaxNamespaces = 2 })
			before := node.Running(srv.Server)
			entered, release := make(chan struct{}, 100), make(chan struct{})
			end := sync.OnceFunc(func() { close(release) })
			defer end()
			slow := func() error {
				entered <- struct{}{}
				<-release
				return nil
			}
			srv.Of("/use").Use(func(context.Context, *node.Socket) error { return slow() })
			srv.Of("/connect").OnConnect(func(context.Context, *node.Socket) error { return slow() })
			srv.Of("/event").OnEvent("slow", func(context.Context, *node.Event) error { return slow() })
			srv.Of("/end").OnDisconnect(func(context.Context, *node.Socket, node.Reason) { _ = slow() })
			r := srv.raw(t, "4", "")
			for range 4 {
				r.send(test.entry...)
				if test.answer != "" {
					r.expectPrefix(test.answer)
				}
				wait(t, entered, "the handler")
			}
			enter, _, _ := strings.Cut(test.entry[0][2:], ",")
			r.send("40" + enter + ",")
			r.expect("44" + enter + `,{"message":"Too many namespaces"}`)
			if n := node.Running(srv.Server); n != before+4 {
				t.Errorf("%d handlers run", n-before)
			}
			end()
			until(t, func() bool { return node.Running(srv.Server) == before })
			r.send("40" + enter + ",")
			r.expectPrefix("40" + enter + `,{"sid"`)
		})
	}
}

func TestDisconnectInOnConnect(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		srv := start(t, nil)
		ends := make(chan node.Reason, 2)
		srv.Of("/").OnConnect(func(ctx context.Context, s *node.Socket) error {
			must(t, s.Emit(ctx, "bye"))
			s.Disconnect(whole)
			return nil
		})
		srv.Of("/").OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) { ends <- r })
		r := srv.raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40{")
		r.expect(`42["bye"]`, "41")
		if got := wait(t, ends, "OnDisconnect"); got != transport.ReasonServerNamespace {
			t.Errorf("reason %q", got)
		}
		if whole {
			r.closed()
		}
	}
}

func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	var j journal
	step := func(name string) func(context.Context, *node.Socket) error {
		return func(context.Context, *node.Socket) error {
			j.add(name)
			return nil
		}
	}
	ns.Use(step("use 1"))
	ns.OnConnect(step("connect 1"))
	ns.Use(step("use 2"))
	ns.OnConnect(step("connect 2"))
	srv.connect(t, "/", nil)
	j.is(t, "use 1", "use 2", "connect 1", "connect 2")
}

// Middleware that never ends is ended, and the client is told.
func TestMiddlewareTimeout(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.ConnectTimeout = 500 * time.Millisecond })
	srv.Of("/").Use(func(ctx context.Context, _ *node.Socket) error {
		<-ctx.Done()
		return ctx.Err()
	})
	r := srv.raw(t, "4", "")
	r.send("40")
	r.closed(`44{"message":"timed out"}`) // and then it is in no namespace for too long
	if n := srv.Stats().ConnectTimeouts; n != 1 {
		t.Errorf("%d connect timeouts", n)
	}
}

// A connection that is in no namespace is closed, whether it never was in one,
// was refused, or has left; one that is in a namespace stays.
func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.ConnectTimeout = 500 * time.Millisecond })
	srv.Of("/no").Use(func(context.Context, *node.Socket) error { return node.Refuse("no", nil) })
	stays := srv.connect(t, "/", nil)
	srv.raw(t, "4", "").closed()
	r := srv.raw(t, "4", "")
	r.send("40/no,")
	r.closed(`44/no,{"message":"no"}`)
	r = srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40{")
	r.send("41")
	r.closed()
	if !stays.Connected() {
		t.Error("the one in a namespace was closed too")
	}
}

func TestTooManyNamespaces(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.MaxNamespaces = 2 })
	for _, ns := range []string{"/a", "/b", "/c"} {
		srv.Of(ns)
	}
	r := srv.raw(t, "4", "")
	r.send("40/a,", "40/b,", "40/c,")
	r.expectPrefix("40/a,")
	r.expectPrefix("40/b,")
	r.expect(`44/c,{"message":"Too many namespaces"}`)
	r.send("41/a,", "40/c,")
	r.expectPrefix(`40/c,{"sid"`)
}
