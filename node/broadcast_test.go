package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/node"
)

// Who gets a broadcast: each member of any of the rooms once, but for those in
// an exception.
func TestTargets(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	rooms := map[string][]string{"a": {"r", "s"}, "b": {"r"}, "c": {"s"}, "d": nil, "e": {"r", "s", "x"}}
	peers, sockets := make(map[string]*peer), make(map[string]*node.Socket)
	for name, in := range rooms {
		p := srv.connect(t, "/", nil)
		s, _ := ns.Socket(p.ID())
		must(t, s.Join(in...))
		peers[name], sockets[name] = p, s
	}
	id := func(name string) string { return sockets[name].ID() }
	must(t, sockets["c"].Join(id("d"))) // a guest in a socket's own room
	must(t, sockets["b"].Leave(id("b")))

	tests := []struct {
		name string
		to   node.Broadcast
		want string
	}{
		{"all", ns.Broadcast(), "a b c d e"},
		{"room", ns.To("r"), "a b e"},
		{"in", ns.In("r"), "a b e"},
		{"rooms", ns.To("r", "s"), "a b c e"},
		{"chained", ns.To("r").In("s").To("r"), "a b c e"},
		{"nobody", ns.To("nobody"), ""},
		{"nobody and somebody", ns.To("nobody").To("x"), "e"},
		{"except room", ns.Except("r"), "c d"},
		{"room except room", ns.To("r").Except("s"), "b"},
		{"room except several", ns.To("r").Except("x", "nobody").Except(id("a")), "b"},
		{"all except one", ns.Except(id("a")), "b c d e"},
		{"room except one", ns.To("r").Except(id("a")), "b e"},
		{"room except one outside", ns.To("r").Except(id("d")), "a b e"},
		{"room except nobody", ns.To("r").Except("nobody"), "a b e"},
		{"except all", ns.To("r").Except("r"), ""},
		{"own room", ns.To(id("a")), "a"},
		{"own room with a guest", ns.To(id("d")), "c d"},
		{"own room except the guest", ns.To(id("d")).Except(id("c")), "d"},
		{"own room except itself", ns.To(id("a")).Except(id("a")), ""},
		{"own room left", ns.To(id("b")), ""},
		{"all but one that left its room", ns.Except(id("b")), "a c d e"},
		{"others", sockets["a"].Broadcast(), "b c d e"},
		{"others in a room", sockets["a"].To("r"), "b e"},
		{"others of one that left its room", sockets["b"].To("r"), "a e"},
		{"others except", sockets["a"].Except("x"), "b c d"},
		{"local", ns.Local(), "a b c d e"},
		{"volatile", ns.To("r").Volatile(), "a b e"},
		{"uncompressed", ns.To("r").Compress(false), "a b e"},
		{"latest", ns.To("r").Latest("k"), "a b e"},
	}
	ctx := t.Context()
	for _, test := range tests {
		must(t, test.to.Emit(ctx, test.name))
		// The barrier travels the same way as what is tested.
		for name, s := range sockets {
			must(t, s.Emit(ctx, "done"))
			got := peers[name].next()
			if want := has(test.want, name); got == test.name != want || got != test.name && got != "done" {
				t.Errorf("%s: %s got %s", test.name, name, got)
			}
			if got == test.name {
				peers[name].expect("done")
			}
		}
		n, err := test.to.CountSockets(ctx)
		if want := len(strings.Fields(test.want)); err != nil || n != want {
			t.Errorf("%s: counted %d, %v, want %d", test.name, n, err, want)
		}
		var got []string
		for s, err := range test.to.FetchSockets(ctx) {
			must(t, err)
			for name := range sockets {
				if id(name) == s.ID {
					got = append(got, name)
				}
			}
		}
		if diff := cmp.Diff(test.want, strings.Join(sorted(got), " ")); diff != "" {
			t.Errorf("%s: fetched (-want +got)\n%s", test.name, diff)
		}
	}
	if _, ok := ns.Socket(id("b")); !ok {
		t.Error("a socket that left the room of its own is not found any more")
	}
	must(t, sockets["b"].Emit(ctx, "still reached"))
	peers["b"].expect("still reached")
}

func has(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}

// A stored Broadcast is a value: narrowing it changes no other.
func TestBroadcastIsAValue(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	base := srv.To("a", "b", "c").Except("x", "y")
	one, two := base.To("one").Except("one"), base.To("two").Except("two")
	must(t, srv.Server.Of("/").Emit(t.Context(), "warm"))
	p := srv.connect(t, "/", nil)
	s, _ := srv.Of("/").Socket(p.ID())
	must(t, s.Join("one"))
	must(t, two.Emit(t.Context(), "for two"))
	must(t, base.Emit(t.Context(), "for the base"))
	must(t, one.Emit(t.Context(), "for one, which is excepted"))
	must(t, base.To("one").Emit(t.Context(), "here"))
	p.expect("here")
}

func TestServerShortcuts(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	p := srv.connect(t, "/", nil)
	srv.connect(t, "/", nil)
	s, _ := srv.Of("").Socket(p.ID())
	must(t, s.Join("r"))
	must(t, s.SetUser("ada"))
	ctx := t.Context()
	must(t, srv.Emit(ctx, "emit", 1, "two", nil))
	must(t, srv.Send(ctx, "text"))
	must(t, srv.To("r").Emit(ctx, "to"))
	must(t, srv.In("r").Send(ctx, "in"))
	must(t, srv.Except("x").Emit(ctx, "except"))
	must(t, srv.User("ada").Emit(ctx, "user"))
	must(t, s.Send(ctx, "own"))
	must(t, s.Compress(false).Latest("k").Send(ctx, "own"))
	p.expect(`emit 1 "two" null`, `message "text"`, "to", `message "in"`, "except", "user", `message "own"`, `message "own"`)
}

// An event that cannot be encoded reaches nobody.
func TestEncodingErrors(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	p := srv.connect(t, "/", nil)
	s, _ := srv.Of("/").Socket(p.ID())
	ctx := t.Context()
	nan := 0.0
	for _, bad := range []any{func() {}, make(chan int), nan / nan} {
		_, errAck := s.EmitWithAck(ctx, "bad", bad)
		_, errAcks := srv.Of("/").Broadcast().CollectAcks(ctx, "bad", bad)
		for _, err := range []error{s.Emit(ctx, "bad", bad), srv.Emit(ctx, "bad", bad), errAck, errAcks} {
			if err == nil {
				t.Errorf("%v was sent", bad)
			}
		}
	}
	p.none(srv, "end")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.MaxRoom, c.MaxRooms = 160, 5 })
	ns := srv.Of("/")
	p := srv.connect(t, "/", nil)
	s, _ := ns.Socket(p.ID())
	ctx := t.Context()
	long := strings.Repeat("x", 161)
	fits := long[1:]
	many := make([]string, 257)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	ack := func(b node.Broadcast) error { _, err := b.CollectAcks(ctx, "e"); return err }
	fetch := func(b node.Broadcast) error { _, err := b.CountSockets(ctx); return err }
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"room of join", s.Join(long), "room name of 161 is over the limit of 160"},
		{"room of emit", ns.To(long).Emit(ctx, "e"), "room name of 161"},
		{"exception", ns.Except(long).Emit(ctx, "e"), "room name of 161"},
		{"room of acks", ack(ns.To(long)), "room name of 161"},
		{"room of fetch", fetch(ns.To(long)), "room name of 161"},
		{"room of operation", ns.Broadcast().SocketsJoin(ctx, long), "room name of 161"},
		{"rooms of emit", ns.To(many...).Emit(ctx, "e"), "number of rooms of 257 is over the limit of 256"},
		{"exceptions", ns.Except(many...).Emit(ctx, "e"), "number of rooms of 257"},
		{"rooms of operation", ns.Broadcast().SocketsLeave(ctx, many...), "number of rooms of 257"},
		{"event", ns.Emit(ctx, strings.Repeat("e", 129)), "event name of 129 is over the limit of 128"},
		{"event of socket", s.Emit(ctx, strings.Repeat("e", 129)), "event name of 129"},
		{"rooms of socket", s.Join("1", "2", "3", "4", "5", "6"), "number of rooms of a socket of 6 is over the limit of 5"},
		{"user", s.SetUser(fits), "room name of 165"},
		{"room that fits", ns.To(fits).Emit(ctx, "e"), ""},
		{"rooms that fit", ns.To(many[:256]...).Emit(ctx, "e"), ""},
		{"event that fits", ns.Emit(ctx, strings.Repeat("e", 128)), ""},
		{"rooms of socket that fit", s.Join("1", "2", "3", "4", "5"), ""},
		{"the same again", s.Join("1", "2", "3", s.ID(), "1"), ""},
		{"one more", s.Join("1", "6"), "number of rooms of a socket of 6"},
	}
	for _, test := range tests {
		le, ok := errors.AsType[*node.LimitError](test.err)
		switch {
		case test.want == "" && test.err != nil, test.want != "" && !ok:
			t.Errorf("%s: %v", test.name, test.err)
		case ok && !strings.Contains(le.Error(), test.want):
			t.Errorf("%s: %v, want %s", test.name, le, test.want)
		}
	}
	if got := sorted(s.Rooms()); len(got) != 6 || s.User() != "" {
		t.Errorf("rooms %q, user %q", got, s.User())
	}
	// A join for others reports whom a limit kept out.
	err := ns.Broadcast().SocketsJoin(ctx, "7")
	if p, ok := errors.AsType[*node.PartialError](err); !ok || len(p.Missing) != 1 || p.Missing[0] != s.ID() {
		t.Errorf("SocketsJoin: %v", err)
	}
	must(t, s.Leave("1"))
	must(t, ns.Broadcast().SocketsJoin(ctx, "7"))
}

// A long namespace, event or ack id is a broken packet.
func TestPacketLimits(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	for _, packet := range []string{
		"40/" + strings.Repeat("n", 128) + ",",
		`42["` + strings.Repeat("e", 129) + `"]`,
	} {
		r := srv.raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40")
		r.send(packet)
		r.closed()
	}
	defer func() {
		if recover() == nil {
			t.Error("Of took a long name")
		}
	}()
	srv.Of("/" + strings.Repeat("n", 128))
}

// SetUser moves a socket from one user's room to another's.
func TestUsers(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/chat")
	ns.Use(func(_ context.Context, s *node.Socket) error {
		var auth struct{ User string }
		must(t, s.Auth(&auth))
		return s.SetUser(auth.User)
	})
	auth := func(user string) any { return map[string]string{"User": user} }
	a, b := srv.connect(t, "/chat", auth("ada")), srv.connect(t, "/chat", auth("bob"))
	nobody := srv.connect(t, "/chat", nil)
	must(t, ns.User("ada").Emit(t.Context(), "for ada"))
	a.expect("for ada")
	s, _ := ns.Socket(a.ID())
	must(t, s.SetUser("bob"))
	if s.User() != "bob" {
		t.Errorf("user %q", s.User())
	}
	must(t, ns.User("ada").Emit(t.Context(), "lost"))
	must(t, ns.To(node.UserRoom("bob")).Emit(t.Context(), "for bob"))
	a.expect("for bob")
	b.expect("for bob")
	must(t, s.SetUser(""))
	must(t, ns.User("bob").Emit(t.Context(), "one"))
	b.expect("one")
	a.none(srv, "end")
	nobody.none(srv, "end")
	for r, err := range ns.FetchSockets(t.Context()) {
		must(t, err)
		if want := map[string]string{a.ID(): "", b.ID(): "bob", nobody.ID(): ""}[r.ID]; r.User != want {
			t.Errorf("%s: user %q, want %q", r.ID, r.User, want)
		}
	}
}

// Latest keeps one value for a client that does not read, and the newest one
// comes last.
func TestLatest(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) {
		c.Transport.Queue.MaxBytes = 64 << 20
		c.Transport.Queue.MaxMessages = 1 << 20
		c.Transport.WriteTimeout = time.Minute // the client does not read for long
	})
	ns := srv.Of("/")
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	s := only(t, ns)
	ctx := t.Context()
	block := strings.Repeat("x", 512<<10)
	for range 24 { // more than the kernel takes
		must(t, s.Emit(ctx, "block", block))
	}
	for i := range 1000 {
		must(t, ns.Broadcast().Latest("price").Emit(ctx, "price", i))
		must(t, s.Latest("own").Emit(ctx, "own", i))
	}
	must(t, s.Emit(ctx, "end"))
	prices, owns, last := 0, 0, ""
	for got := ""; got != `42["end"]`; {
		got = r.next()
		switch {
		case strings.HasPrefix(got, `42["price"`):
			prices++
			last = got
		case strings.HasPrefix(got, `42["own"`):
			owns++
		}
	}
	if prices > 2 || owns > 2 || last != `42["price",999]` {
		t.Errorf("%d prices, the last %s; %d of its own", prices, last, owns)
	}
	if srv.Stats().Transport.Conflated < 1000 {
		t.Errorf("%d conflated", srv.Stats().Transport.Conflated)
	}
}

// A key of Latest belongs to its namespace, whoever emits: a broadcast, one of
// another server, or an emit to the socket alone.
func TestLatestOfTwoNamespaces(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, func(c *node.Config) {
		c.Transport.Queue.MaxBytes = 64 << 20
		c.Transport.WriteTimeout = time.Minute // the client does not read for long
	})
	srv, other := all[0], all[1]
	a, b := srv.Of("/a"), srv.Of("/b")
	r := srv.raw(t, "4", "")
	r.send("40/a,", "40/b,")
	r.expectPrefix("40/a,")
	r.expectPrefix("40/b,")
	inA, inB := only(t, a), only(t, b)
	ctx := t.Context()
	block := strings.Repeat("x", 512<<10)
	for range 24 { // more than the kernel takes
		must(t, inA.Emit(ctx, "block", block))
	}
	for _, ns := range []*node.Namespace{a, b} {
		must(t, ns.Broadcast().Latest("all").Emit(ctx, "all"))
		must(t, other.Of(ns.Name()).Broadcast().Latest("far").Emit(ctx, "far"))
	}
	must(t, inA.Latest("own").Emit(ctx, "own"))
	must(t, inB.Latest("own").Emit(ctx, "own"))
	count := map[string]int{}
	for range 24 + 6 {
		count[r.next()[:len(`42/a,["xyz`)]]++
	}
	want := map[string]int{
		`42/a,["blo`: 24, `42/a,["all`: 1, `42/b,["all`: 1, `42/a,["far`: 1, `42/b,["far`: 1, `42/a,["own`: 1, `42/b,["own`: 1,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Error(diff)
	}
}

// only returns the namespace's only socket.
func only(t *testing.T, ns *node.Namespace) *node.Socket {
	t.Helper()
	for r, err := range ns.Local().FetchSockets(t.Context()) {
		must(t, err)
		s, ok := ns.Socket(r.ID)
		if ok {
			return s
		}
	}
	t.Fatal("no socket")
	return nil
}

// A volatile event is dropped where it would have to wait.
func TestVolatile(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) {
		c.Transport.Queue.MaxBytes = 64 << 20
		c.Transport.Queue.MaxMessages = 1 << 20
	})
	ns := srv.Of("/")
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	s := only(t, ns)
	ctx := t.Context()
	must(t, ns.Volatile().Emit(ctx, "idle"))
	r.expect(`42["idle"]`)
	block := strings.Repeat("x", 512<<10)
	for range 24 {
		must(t, s.Emit(ctx, "block", block))
	}
	for range 100 {
		must(t, ns.Volatile().Emit(ctx, "drop"))
		must(t, s.Volatile().Emit(ctx, "drop"))
	}
	must(t, s.Emit(ctx, "end"))
	for got := ""; got != `42["end"]`; {
		if got = r.next(); got == `42["drop"]` {
			t.Fatal("a volatile event waited")
		}
	}
	if n := srv.Stats().Transport.VolatileDropped; n != 200 {
		t.Errorf("%d dropped", n)
	}
}

// A room whose name is not UTF-8 could not be told to other servers.
func TestRoomNames(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	conns := sockets(srv.Of("/"))
	srv.connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	const bad = "caf\xe9"
	for what, err := range map[string]error{
		"Join":        s.Join("good", bad),
		"SocketsJoin": srv.Of("/").To().SocketsJoin(t.Context(), bad),
		"Emit":        srv.Of("/").To(bad).Emit(t.Context(), "x"),
		"Except":      srv.Of("/").Except(bad).Emit(t.Context(), "x"),
	} {
		if !errors.Is(err, node.ErrRoomName) || !strings.Contains(err.Error(), `"caf\xe9"`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if slices.Contains(s.Rooms(), "good") {
		t.Error("it joined one of the two")
	}
	must(t, s.Join("café", "日本", "a\x00b"))
}
