package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node"
)

// recovering turns recovery on.
func recovering(cfg *node.Config) { cfg.Recovery.Enabled = true }

// sockets collects the server's sockets of a namespace, in order of connection.
func sockets(ns *node.Namespace) <-chan *node.Socket {
	c := make(chan *node.Socket, 64)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		c <- s
		return nil
	})
	return c
}

// seen is the next event without what recovery adds to it, and whether it had
// an offset.
func (p *peer) seen() (event string, offset bool) {
	p.t.Helper()
	e := wait(p.t, p.events, "an event")
	parts := []string{e.Name}
	for i := range e.Len() {
		parts = append(parts, string(e.Raw(i)))
	}
	last := parts[len(parts)-1]
	if len(parts) > 1 {
		var text string
		if json.Unmarshal([]byte(last), &text) == nil {
			if _, offset = backplane.ParseOffset(text); offset {
				parts = parts[:len(parts)-1]
			}
		}
	}
	return strings.Join(parts, " "), offset
}

// sees checks the next events, all with offsets.
func (p *peer) sees(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got, ok := p.seen(); got != w || !ok {
			p.t.Fatalf("got %s (offset: %v), want %s", got, ok, w)
		}
	}
}

// lose breaks the client's connection and waits until both sides know.
func (p *peer) lose(s *node.Socket) {
	p.t.Helper()
	p.client.Drop()
	wait(p.t, p.ended, "the client's notice")
	closed(p.t, s.Context().Done(), "the server's notice")
}

// back connects again, to where the client's URL leads now.
func (p *peer) back() {
	p.t.Helper()
	if err := p.client.Reconnect(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	if err := p.Connect(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

var nameKey = node.NewKey[string]("name")

func TestRecovery(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	conns := sockets(ns)
	p := srv.connect(t, "/", map[string]any{"token": "x"})
	first := wait(t, conns, "a socket")
	if first.Recovered() {
		t.Error("the first socket is recovered")
	}
	if err := first.Join("news"); err != nil {
		t.Fatal(err)
	}
	nameKey.Set(first, "Ada")
	ctx := t.Context()
	check := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	check(first.Emit(ctx, "a", 1), ns.To("news").Emit(ctx, "b", 2))
	p.sees("a 1", "b 2")
	id := p.ID()
	p.lose(first)

	check(
		ns.To("news").Emit(ctx, "c", 3),
		first.Emit(ctx, "d", "text"),
		ns.To("sport").Emit(ctx, "not for it"),
		first.Emit(ctx, "e"),
		ns.To(id).Emit(ctx, "f"),
		ns.Except(id).Emit(ctx, "not for it"),
		ns.Emit(ctx, "g"),
		ns.To("news").Fast().Emit(ctx, "lost: it is not stored"),
	)
	p.back()
	again := wait(t, conns, "a socket")
	if !again.Recovered() || !p.Recovered() || p.ID() != id || again.ID() != id || again == first {
		t.Fatalf("recovered %v %v, id %s %s, was %s", again.Recovered(), p.Recovered(), again.ID(), p.ID(), id)
	}
	if name, _ := nameKey.Get(again); name != "Ada" {
		t.Errorf("data %q", name)
	}
	if rooms := again.Rooms(); !slices.Equal(rooms, []string{id, "news"}) {
		t.Errorf("rooms %q", rooms)
	}
	if auth := string(again.AuthRaw()); auth != `{"token":"x"}` {
		t.Errorf("the application sees %s", auth)
	}
	p.sees("c 3", `d "text"`, "e", "f", "g")
	check(ns.To("news").Emit(ctx, "h"), first.Emit(ctx, "i"))
	p.sees("h", "i")
}

// A client that never got an event presents no offset.
func TestRecoveryWithoutEvents(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	conns := sockets(srv.Of("/"))
	p := srv.connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	if _, offset := p.Recovery(); offset != "" {
		t.Fatalf("offset %q", offset)
	}
	p.lose(s)
	if err := srv.Emit(t.Context(), "missed"); err != nil {
		t.Fatal(err)
	}
	p.back()
	if !p.Recovered() {
		t.Fatal("not recovered")
	}
	p.sees("missed")
}

// Only offsets of ours may end an event as a string, for clients with a pid.
func TestRecoveryTails(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	conns := sockets(ns)
	p := srv.connect(t, "/", nil)
	plain := srv.connect(t, "/", map[string]any{"recover": false})
	s := wait(t, conns, "a socket")
	other := wait(t, conns, "a socket")
	if s.ID() != p.ID() {
		s, other = other, s
	}
	if pid, _ := plain.Recovery(); pid != "" || string(other.AuthRaw()) != "{}" {
		t.Errorf("pid %q, auth %s of a client that opted out", pid, other.AuthRaw())
	}
	ctx := t.Context()
	for _, err := range []error{
		ns.Broadcast().Fast().Emit(ctx, "fast", "text"),
		ns.Broadcast().Fast().Emit(ctx, "fast"),
		ns.Broadcast().Fast().Emit(ctx, "fast", 1),
		ns.Broadcast().Fast().Emit(ctx, "fast", "text", []byte{1}),
		s.Volatile().Emit(ctx, "volatile", "text"),
		s.Latest("k").Emit(ctx, "latest"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.expect(`fast "text" null`, "fast null", "fast 1", `fast "text" {"_placeholder":true,"num":0}`, `volatile "text" null`, "latest null")
	plain.expect(`fast "text"`, "fast", "fast 1", `fast "text" {"_placeholder":true,"num":0}`)
	go func() {
		e := <-p.asked
		_ = e.Ack(ctx, e.Len())
	}()
	if args, err := s.EmitWithAck(ctx, "asked", "text"); err != nil || string(args.Raw(0)) != "1" {
		t.Errorf("the client got %s arguments with an ack: %v", args.Raw(0), err)
	}
	if _, offset := p.Recovery(); offset != "" {
		t.Errorf("the client took %q for an offset", offset)
	}
	if err := ns.Emit(ctx, "durable", "text"); err != nil {
		t.Fatal(err)
	}
	p.sees(`durable "text"`)
	plain.expect(`durable "text"`)
}

// Ends that somebody asked for are not recovered from.
func TestRecoveryAfterDisconnect(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *peer, s *node.Socket){
		"by the server":                  func(_ *peer, s *node.Socket) { s.Disconnect(false) },
		"by the server, with connection": func(_ *peer, s *node.Socket) { s.Disconnect(true) },
		"by the cluster": func(p *peer, s *node.Socket) {
			if err := s.Namespace().In(s.ID()).DisconnectSockets(p.t.Context(), false); err != nil {
				p.t.Fatal(err)
			}
		},
		"by the client": func(p *peer, _ *node.Socket) { _ = p.Disconnect() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, recovering)
			conns := sockets(srv.Of("/"))
			p := srv.connect(t, "/", nil)
			s := wait(t, conns, "a socket")
			pid, _ := p.Recovery()
			end(p, s)
			closed(t, s.Context().Done(), "the end")
			// The session ends a moment after the socket. A client that is as quick
			// as that could go on with it, and would have missed nothing.
			until(t, func() bool { return srv.Stats().Sessions == 0 })
			q := srv.connect(t, "/", map[string]any{"pid": pid})
			if again := wait(t, conns, "a socket"); again.Recovered() || q.ID() == s.ID() {
				t.Error("recovered")
			}
			if st := srv.Stats(); st.NotRecovered["unknown"] != 1 || st.Sessions != 1 {
				t.Errorf("refused %v, %d sessions", st.NotRecovered, st.Sessions)
			}
		})
	}
}

// quiet is none for a client that can recover.
func (p *peer) quiet(s *server) {
	p.t.Helper()
	ns, _ := s.Namespace(p.Namespace())
	sock, ok := ns.Socket(p.ID())
	if !ok {
		p.t.Fatalf("no socket %s", p.ID())
	}
	must(p.t, sock.Latest("mark").Emit(p.t.Context(), "mark"))
	p.expect("mark null")
}
