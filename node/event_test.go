package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

type point struct {
	X, Y int
	Body []byte
}

// What arrives on the wire and what goes back, for each form of handler.
func TestHandlers(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	ns.OnEvent("one", func(context.Context, *node.Event) error { t.Error("a replaced handler was called"); return nil })
	node.Handle(ns, "one", func(_ context.Context, _ *node.Socket, n int) (int, error) { return n + 1, nil })
	node.Handle(ns, "two", func(_ context.Context, _ *node.Socket, a node.Args2[string, int]) (node.Args2[int, string], error) {
		return node.Args2[int, string]{A: a.B, B: a.A}, nil
	})
	node.Handle(ns, "three", func(_ context.Context, _ *node.Socket, a node.Args3[int, int, int]) (node.Args3[int, int, int], error) {
		return node.Args3[int, int, int]{A: a.C, B: a.B, C: a.A}, nil
	})
	node.Handle(ns, "none", func(context.Context, *node.Socket, node.None) (node.None, error) { return node.None{}, nil })
	node.Handle(ns, "raw", func(_ context.Context, _ *node.Socket, a protocol.Args) (int, error) { return a.Len(), nil })
	node.Handle(ns, "pointer", func(_ context.Context, _ *node.Socket, p *point) (any, error) { return p, nil })
	node.On(ns, "on", func(context.Context, *node.Socket, string) error { return nil })
	node.On(ns, "fail", func(_ context.Context, _ *node.Socket, kind string) error {
		switch kind {
		case "event":
			return &node.EventError{Message: "told", Data: map[string]int{"code": 3}}
		case "wrapped":
			return fmt.Errorf("context: %w", &node.EventError{Message: "told"})
		case "unsendable":
			return &node.EventError{Message: "told", Data: func() {}}
		case "panic":
			panic("as planned")
		}
		return errors.New("internal matters")
	})
	ns.OnEvent("again", func(_ context.Context, e *node.Event) error {
		must(t, e.Ack("first"))
		if err := e.Ack("second"); !errors.Is(err, node.ErrAcked) {
			t.Errorf("second Ack: %v", err)
		}
		return &node.EventError{Message: "too late"}
	})
	ns.OnEvent("retry", func(_ context.Context, e *node.Event) error {
		if e.Acked() || e.Ack(func() {}) == nil || e.Acked() {
			t.Error("a function was sent")
		}
		return e.Ack(1)
	})
	ns.OnEvent("relay", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
	ns.OnEvent("noack", func(_ context.Context, e *node.Event) error {
		if err := e.Ack(); e.WantsAck() || !errors.Is(err, node.ErrNoAck) {
			t.Errorf("Ack without id: %v", err)
		}
		return nil
	})
	ns.OnEvent("decode", func(_ context.Context, e *node.Event) error {
		var a string
		var b int
		if err := e.Decode(&a, &b); err != nil {
			return err
		}
		return e.Ack(b, a)
	})
	ns.OnEvent("message", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
	ns.OnEvent("7", func(_ context.Context, e *node.Event) error { return e.Ack(e.Name) })
	ns.OnUnhandled(func(_ context.Context, e *node.Event) error { return &node.EventError{Message: "no " + e.Name} })
	ns.OnEvent("gone", func(context.Context, *node.Event) error { return nil })
	ns.Off("gone")

	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	for _, test := range [][2]string{
		{`421["one",41]`, `431[42]`},
		{`422["one","x"]`, `432[{"error":"bad argument"}]`},
		{`423["one"]`, `433[{"error":"bad argument"}]`},
		{`424["one",41,"more"]`, `434[42]`},
		{`425["two","a",1]`, `435[1,"a"]`},
		{`426["two","a"]`, `436[{"error":"bad argument"}]`},
		{`427["three",1,2,3]`, `437[3,2,1]`},
		{`428["none","ignored"]`, `438[]`},
		{`429["raw",1,[2],{"three":3}]`, `439[3]`},
		{`4210["pointer",{"X":1,"Y":2,"Body":null}]`, `4310[{"X":1,"Y":2,"Body":null}]`},
		{`4211["on","x"]`, `4311[]`},
		{`4212["fail","event"]`, `4312[{"error":"told","data":{"code":3}}]`},
		{`4213["fail","wrapped"]`, `4313[{"error":"told"}]`},
		{`4214["fail","plain"]`, `4314[{"error":"internal error"}]`},
		{`4215["fail","panic"]`, `4315[{"error":"internal error"}]`},
		{`4216["fail","unsendable"]`, `4316[{"error":"told"}]`},
		{`4217["again"]`, `4317["first"]`},
		{`4218["retry"]`, `4318[1]`},
		{`4219["relay",9007199254740993,"\ud800",{"a":1,"a":2}]`, `4319[9007199254740993,"\ud800",{"a":1,"a":2}]`},
		{`4220["gone"]`, `4320[{"error":"no gone"}]`},
		{`4222["decode","a",2,3]`, `4322[2,"a"]`},
		{`4223["decode","a"]`, `4323[{"error":"bad argument"}]`},
		{`4221[7]`, `4321["7"]`},
		{`4224["message","sent by send"]`, `4324["sent by send"]`},
		{`429999999999999999999["one",1]`, `439999999999999999999[2]`},
	} {
		r.send(`42["noack",1]`, test[0])
		r.expect(test[1])
	}
	r.send(`4210000000000000000000["one",1]`) // 20 digits (R3)
	r.closed()
	if st := srv.Stats(); st.Panics != 1 || st.HandlerErrors == 0 {
		t.Errorf("%d panics, %d errors", st.Panics, st.HandlerErrors)
	}
}

// Binary values are attachments in both directions and in acknowledgements.
func TestBinary(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	node.Handle(srv.Of("/"), "mirror", func(ctx context.Context, s *node.Socket, p point) (point, error) {
		return p, s.Emit(ctx, "seen", p.Body, p)
	})
	for _, parser := range []client.Parser{client.JSON, client.MessagePack} {
		c := srv.dial(t, func(c *client.Config) { c.Parser = parser })
		p := newPeer(t, c, "/", nil)
		must(t, p.Connect(t.Context()))
		want := point{X: 1, Y: -2, Body: []byte("\x00\xff bytes")}
		if got := ask[point](p, "mirror", want); string(got.Body) != string(want.Body) || got.Y != -2 {
			t.Errorf("answer %v", got)
		}
		var body []byte
		var got point
		e := wait(t, p.events, "the event")
		must(t, e.Decode(&body, &got))
		if string(body) != string(want.Body) || string(got.Body) != string(want.Body) {
			t.Errorf("event %q %v", body, got)
		}
	}
}

// Middleware, OnAny and handlers in their order; an error ends the event.
func TestEventMiddleware(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	var j journal
	remove := ns.OnAny(func(_ context.Context, e *node.Event) error { j.add("any", e.Name); return nil })
	ns.UseEvent(func(_ context.Context, e *node.Event) error {
		j.add("use", e.Name)
		if strings.HasPrefix(e.Name, "forbidden") {
			return &node.EventError{Message: "forbidden"}
		}
		return nil
	})
	ns.OnEvent("a", func(_ context.Context, e *node.Event) error { j.add("a"); return e.Ack("ok") })
	ns.OnEvent("forbidden", func(_ context.Context, e *node.Event) error { j.add("never"); return nil })
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	r.send(`421["a"]`, `422["forbidden"]`)
	r.expect(`431["ok"]`, `432[{"error":"forbidden"}]`)
	remove()
	r.send(`423["a"]`)
	r.expect(`433["ok"]`)
	j.is(t, "use a", "any a", "a", "use forbidden", "use a", "a")
	if got := strings.Join(ns.Events(), " "); got != "a forbidden" {
		t.Errorf("events %q", got)
	}
}

// OnAnyOutgoing sees each call once, direct or broadcast, and only what is
// really sent.
func TestOutgoing(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	a, b := srv.connect(t, "/", nil), srv.connect(t, "/", nil)
	var j journal
	remove := ns.OnAnyOutgoing(func(event string, f protocol.Frames) { j.add(event, string(f.Text)) })
	s, _ := ns.Socket(a.ID())
	ctx := t.Context()
	must(t, s.Emit(ctx, "direct", 1))
	must(t, ns.Emit(ctx, "all", 2))
	if err := ns.To(strings.Repeat("x", 1000)).Emit(ctx, "never"); err == nil {
		t.Error("no error for a long room name")
	}
	for range ns.To("nobody").EmitWithAck(ctx, "asked") {
		t.Error("somebody answered")
	}
	remove()
	must(t, ns.Emit(ctx, "unseen"))
	ns.OnAnyOutgoing(func(string, protocol.Frames) { panic("as planned") })
	must(t, ns.Emit(ctx, "still sent"))
	j.is(t, `direct 2["direct",1]`, `all 2["all",2]`, `asked 2["asked"]`)
	a.expect("direct 1", "all 2", "unseen", "still sent")
	b.expect("all 2", "unseen", "still sent")
}

func TestReservedEvents(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	p := srv.connect(t, "/", nil)
	s, _ := ns.Socket(p.ID())
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		_, errAck := s.EmitWithAck(t.Context(), name)
		_, errAll := ns.Broadcast().CollectAcks(t.Context(), name)
		for _, err := range []error{s.Emit(t.Context(), name), ns.Emit(t.Context(), name), errAck, errAll} {
			if !errors.Is(err, node.ErrReserved) {
				t.Errorf("%s: %v", name, err)
			}
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("OnEvent(%q) did not panic", name)
				}
			}()
			ns.OnEvent(name, func(context.Context, *node.Event) error { return nil })
		}()
		r := srv.raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40")
		r.send(`42["` + name + `"]`)
		r.closed()
	}
}

// Events of one socket are handled in order and one at a time; Concurrent lets
// them overlap, within its bound.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	var mu sync.Mutex
	running, most := 0, 0
	meet := make(chan struct{})
	ns.OnEvent("meet", node.Concurrent(2, func(_ context.Context, e *node.Event) error {
		mu.Lock()
		if running++; running > most {
			most = running
		}
		mu.Unlock()
		var first bool
		must(t, e.Args.Decode(protocol.JSON, &first))
		if first {
			meet <- struct{}{}
		} else {
			<-meet // only while another one runs
		}
		mu.Lock()
		running--
		mu.Unlock()
		if !first {
			panic("as planned")
		}
		return e.Ack("met")
	}))
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	for range 3 {
		r.send(`421["meet",false]`, `422["meet",true]`)
		got := sorted([]string{r.next(), r.next()})
		if got[0] != `431[{"error":"internal error"}]` || got[1] != `432["met"]` {
			t.Errorf("got %q", got)
		}
	}
	if most > 2 {
		t.Errorf("%d at a time", most)
	}
}

func TestEventsInOrder(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Mailbox = 2 })
	ns := srv.Of("/")
	got := make(chan int, 1000)
	node.On(ns, "n", func(_ context.Context, _ *node.Socket, n int) error { got <- n; return nil })
	p := srv.connect(t, "/", nil)
	for i := range 500 {
		p.emit("n", i)
	}
	for i := range 500 {
		if n := wait(t, got, "an event"); n != i {
			t.Fatalf("event %d came as %d", n, i)
		}
	}
}

// What was cloned, answered or relayed keeps its bytes when buffers are used
// again.
func TestBinaryOutlivesItsPacket(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	kept := make(chan protocol.Args, 200)
	ns.OnEvent("keep", func(ctx context.Context, e *node.Event) error {
		kept <- e.Args.Clone()
		return ns.Broadcast().EmitArgs(ctx, "kept", e.Args)
	})
	for _, parser := range []client.Parser{client.JSON, client.MessagePack} {
		c := srv.dial(t, func(c *client.Config) { c.Parser = parser })
		p := newPeer(t, c, "/", nil)
		must(t, p.Connect(t.Context()))
		for i := range 100 {
			p.emit("keep", i, bytesOf(i))
		}
		s, _ := ns.Socket(p.ID())
		client.Handle(p.Socket, "q", func(_ context.Context, i int) ([]byte, error) { return bytesOf(i), nil })
		for i := range 100 {
			args := wait(t, kept, "the arguments")
			var n int
			var b []byte
			must(t, args.Decode(protocol.JSON, &n, &b))
			if n != i || !bytes.Equal(b, bytesOf(i)) {
				t.Fatalf("event %d: %d %x", i, n, b[:8])
			}
			e := wait(t, p.events, "the relay")
			must(t, e.Decode(&n, &b))
			if n != i || !bytes.Equal(b, bytesOf(i)) {
				t.Fatalf("relay %d: %d %x", i, n, b[:8])
			}
			answer, err := s.EmitWithAck(t.Context(), "q", i)
			must(t, err)
			p.emit("nothing", bytesOf(i+1)) // in the same buffers, if they were free
			must(t, answer.Decode(protocol.JSON, &b))
			if !bytes.Equal(b, bytesOf(i)) {
				t.Fatalf("answer %d: %x", i, b[:8])
			}
		}
	}
}

func bytesOf(i int) []byte { return bytes.Repeat([]byte{byte(i), 0xff}, 100) }
