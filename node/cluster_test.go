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

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// crowd connects one answering client to "/" of each server: it joins "room",
// and answers "q" with its number.
func crowd(t *testing.T, all []*member) []*peer {
	t.Helper()
	var peers []*peer
	for i, m := range all {
		m.Of("/").OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room") })
		p := m.peer(t, "/", nil)
		client.Handle(p.Socket, "q", func(context.Context, string) (int, error) { return i, nil })
		must(t, p.Connect(t.Context()))
		peers = append(peers, p)
	}
	return peers
}

func TestClusterBroadcast(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	peers := crowd(t, all)
	ctx := t.Context()
	sid := func(i int) string { return peers[i].ID() }
	must(t, all[0].Emit(ctx, "all", 1, []byte{7}))
	must(t, all[1].To("room").Except(sid(2)).Emit(ctx, "except 2"))
	must(t, all[2].To(sid(0)).Emit(ctx, "only 0"))
	must(t, all[0].To("nobody").Emit(ctx, "nobody"))
	must(t, all[0].To("room", "other").Volatile().Emit(ctx, "volatile"))
	must(t, all[1].Of("/").Local().Emit(ctx, "local 1"))
	must(t, all[0].To("room").Compress(false).EmitArgs(ctx, "end", protocol.Args{}))
	// Each publisher's own order holds; between two of them there is none.
	want := [][]string{
		{"all", "except 2", "only 0", "volatile", "end"}, {"all", "except 2", "volatile", "local 1", "end"}, {"all", "volatile", "end"},
	}
	for i, p := range peers {
		got := make([]string, 0, len(want[i]))
		for range want[i] {
			got = append(got, wait(t, p.events, "an event").Name)
		}
		if diff := cmp.Diff(sorted(want[i]), sorted(got)); diff != "" {
			t.Errorf("client %d (-want +got)\n%s", i, diff)
		}
		if slices.Index(got, "all") > slices.Index(got, "volatile") || slices.Index(got, "volatile") > slices.Index(got, "end") {
			t.Errorf("client %d: order %q", i, got)
		}
	}
}

// Ids of other servers' sockets work as rooms, also for guests, and also if they
// only look like ids (R21).
func TestClusterGuests(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	peers := crowd(t, all)
	ctx := t.Context()
	home := peers[0].ID()
	madeUp := home[:6] + strings.Repeat("x", 20) // of server 0, if it existed
	guest, _ := all[1].Of("/").Socket(peers[1].ID())
	own, _ := all[0].Of("/").Socket(home)
	must(t, guest.Join(home, madeUp, all[2].ID(), "/chat#"+home))
	must(t, own.Join(madeUp))
	for i, m := range all {
		for _, room := range []string{home, madeUp, all[2].ID(), "/chat#" + home} {
			must(t, m.To(room).Emit(ctx, "to", i, room))
		}
	}
	got0, got1 := make([]string, 0, 6), make([]string, 0, 12)
	for range cap(got0) {
		got0 = append(got0, peers[0].next())
	}
	for range cap(got1) {
		got1 = append(got1, peers[1].next())
	}
	var want0, want1 []string
	for i := range all {
		for _, room := range []string{home, madeUp} {
			want0 = append(want0, fmt.Sprintf("to %d %q", i, room))
		}
		for _, room := range []string{home, madeUp, all[2].ID(), "/chat#" + home} {
			want1 = append(want1, fmt.Sprintf("to %d %q", i, room))
		}
	}
	if diff := cmp.Diff(sorted(want0), sorted(got0)); diff != "" {
		t.Errorf("the socket itself (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(sorted(want1), sorted(got1)); diff != "" {
		t.Errorf("its guest (-want +got)\n%s", diff)
	}
	peers[2].none(all[2].server, "end")

	// So does what is done with a fetched socket.
	for s, err := range all[2].To(home).Except(guest.ID()).FetchSockets(ctx) {
		must(t, err)
		must(t, s.Emit(ctx, "fetched"))
	}
	peers[0].expect("fetched")
	peers[1].expect("fetched")
}

func TestClusterAcks(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	peers := crowd(t, all)
	ctx := t.Context()
	answers := func(b node.Broadcast) string {
		t.Helper()
		res, err := b.CollectAcks(ctx, "q", "x")
		if err != nil || len(res.Missing)+len(res.FailedNodes) > 0 {
			t.Errorf("%+v, %v", res, err)
		}
		var got []string
		for _, a := range res.Answers {
			var i int
			must(t, a.Decode(&i))
			if a.Socket != peers[i].ID() || a.Node != all[i].ID() {
				t.Errorf("answer %d is of %s on %s", i, a.Socket, a.Node)
			}
			got = append(got, fmt.Sprint(i))
		}
		return strings.Join(sorted(got), " ")
	}
	for _, test := range []struct {
		b    node.Broadcast
		want string
	}{
		{all[0].To("room"), "0 1 2"},
		{all[1].Of("/").Broadcast(), "0 1 2"},
		{all[2].Of("/").Local(), "2"},
		{all[0].Except(peers[1].ID()), "0 2"},
		{all[0].To(peers[1].ID()), "1"},
		{all[0].To("nobody"), ""},
	} {
		if got := answers(test.b); got != test.want {
			t.Errorf("%s answered, want %s", got, test.want)
		}
	}
	// Leaving the loop early leaves nothing behind.
	for range all[0].To("room").EmitWithAck(ctx, "q", "x") {
		break
	}
	// One that ends is missing, and nobody waits for it.
	silent := all[1].connect(t, "/", nil)
	done := make(chan node.Result, 1)
	all[0].Go(func(context.Context) error {
		res, err := all[0].To("room").CollectAcks(context.Background(), "q", "x")
		if err != nil {
			t.Errorf("CollectAcks: %v", err)
		}
		done <- res
		return nil
	})
	wait(t, silent.asked, "the question")
	id := silent.ID()
	silent.client.Drop()
	if res := wait(t, done, "the result"); len(res.Answers) != 3 || len(res.Missing) != 1 || res.Missing[0] != id {
		t.Errorf("%+v", res)
	}
}

func TestClusterOperations(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	peers := crowd(t, all)
	ctx := t.Context()
	must(t, all[0].To("room").Except(peers[2].ID()).SocketsJoin(ctx, "joined", "left"))
	must(t, all[2].To("joined").SocketsLeave(ctx, "left"))
	for i, m := range all {
		got := sorted(only(t, m.Of("/")).Rooms())
		want := []string{"joined", peers[i].ID(), "room"}
		if i == 2 {
			want = []string{peers[i].ID(), "room"}
		}
		if diff := cmp.Diff(sorted(want), got); diff != "" {
			t.Errorf("rooms of %d\n%s", i, diff)
		}
	}
	// A join by another server is in effect, for all servers, when it returns
	// (V13), and so for what follows.
	for round := range 50 {
		room := fmt.Sprint("fresh ", round)
		must(t, all[0].To(peers[1].ID()).SocketsJoin(ctx, room))
		must(t, all[2].To(room).Emit(ctx, room))
		peers[1].expect(room)
	}
	rooms, err := all[2].Of("/").Rooms(ctx)
	if err != nil || len(rooms) != 52 || !slices.Contains(rooms, "joined") {
		t.Errorf("rooms %q, %v", rooms, err)
	}
	must(t, all[1].Of("/").CloseRoom(ctx, "joined"))
	if n, err := all[0].To("joined").CountSockets(ctx); n != 0 || err != nil {
		t.Errorf("%d members of a closed room, %v", n, err)
	}
	must(t, all[1].Except(peers[1].ID()).DisconnectSockets(ctx, false))
	for _, i := range []int{0, 2} {
		if r := wait(t, peers[i].ended, "the end"); r != client.ServerDisconnect {
			t.Errorf("reason %q", r)
		}
	}
	if n, err := all[0].Of("/").Broadcast().CountSockets(ctx); n != 1 || err != nil {
		t.Errorf("%d sockets left, %v", n, err)
	}
}

var colour = node.NewKey[string]("colour")

func TestClusterFetch(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	for i, m := range all {
		m.Of("/").OnConnect(func(_ context.Context, s *node.Socket) error {
			colour.Set(s, fmt.Sprint("colour ", i))
			return s.SetUser(fmt.Sprint("user ", i))
		})
	}
	peers := crowd(t, all)
	ctx := t.Context()
	seen := make(map[string]node.RemoteSocket)
	for s, err := range all[0].Of("/").FetchSockets(ctx) {
		must(t, err)
		seen[s.ID] = s
	}
	for i, p := range peers {
		s := seen[p.ID()]
		c, ok := colour.From(s)
		if s.Node != all[i].ID() || s.User != fmt.Sprint("user ", i) || s.Namespace != "/" || s.Transport != "websocket" || !ok || c != fmt.Sprint("colour ", i) {
			t.Errorf("client %d: %+v, colour %q", i, s, c)
		}
		if diff := cmp.Diff(sorted([]string{p.ID(), "room", node.UserRoom(s.User)}), sorted(s.Rooms)); diff != "" {
			t.Error(diff)
		}
		if s.Handshake != nil {
			t.Error("a handshake nobody asked for")
		}
	}
	for s, err := range all[0].Of("/").Broadcast().FetchSocketsWith(ctx, node.Fetch{Handshake: true, NoRooms: true, NoData: true}) {
		must(t, err)
		if s.Handshake == nil || s.Handshake.Address == "" || s.Handshake.Auth != "{}" || s.Rooms != nil || s.Data != nil {
			t.Errorf("%+v", s)
		}
	}
	for s, err := range all[1].To("room").Local().FetchSockets(ctx) {
		must(t, err)
		if s.ID != peers[1].ID() {
			t.Errorf("a socket of %s is local", s.Node)
		}
		delete(seen, s.ID)
	}
	if len(seen) != 2 {
		t.Error("the server's own socket was not fetched")
	}
	// What was fetched can be used, wherever it is.
	far := seen[peers[2].ID()]
	must(t, far.Emit(ctx, "hello"))
	peers[2].expect("hello")
	answer, err := far.EmitWithAck(ctx, "q", "x")
	if err != nil || string(answer.Raw(0)) != "2" {
		t.Errorf("answer %v, %v", answer, err)
	}
	must(t, far.Join(ctx, "fetched"))
	must(t, all[1].To("fetched").Emit(ctx, "joined"))
	peers[2].expect("joined")
	must(t, far.Leave(ctx, "fetched"))
	must(t, far.Disconnect(ctx, false))
	wait(t, peers[2].ended, "the end")
	if _, err := far.EmitWithAck(ctx, "q", "x"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("asking a dead socket: %v", err)
	}
}

// Fetches come in pieces and are the same whatever their number.
func TestFetchManySockets(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, nil)
	const n = 450
	for range n {
		r := all[1].raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40")
	}
	seen := make(map[string]bool)
	for s, err := range all[0].Of("/").FetchSockets(t.Context()) {
		must(t, err)
		seen[s.ID] = true
	}
	if len(seen) != n {
		t.Errorf("fetched %d sockets of %d", len(seen), n)
	}
	got := 0
	for _, err := range all[0].Of("/").FetchSockets(t.Context()) {
		must(t, err)
		if got++; got == 3 {
			break
		}
	}
	if count, err := all[0].Of("/").Broadcast().CountSockets(t.Context()); count != n || err != nil {
		t.Errorf("counted %d, %v", count, err)
	}
}

func TestServerSide(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	ctx := t.Context()
	got := make(chan string, 1000)
	for i, m := range all {
		ns := m.Of("/chat")
		ns.OnServerEvent("note", func(_ context.Context, e *node.ServerEvent) (any, error) {
			got <- fmt.Sprint(i, " ", e.Name, " ", string(e.Args.Raw(0)), " ", e.From == all[0].ID())
			return nil, nil
		})
		ns.OnServerEvent("sum", func(_ context.Context, e *node.ServerEvent) (any, error) {
			var a, b int
			if err := e.Args.Decode(protocol.JSON, &a, &b); err != nil {
				return nil, err
			}
			return a + b + i, nil
		})
		ns.OnServerEvent("fail", func(context.Context, *node.ServerEvent) (any, error) { return nil, errors.New("as planned") })
		ns.OnServerEvent("panic", func(context.Context, *node.ServerEvent) (any, error) { panic("as planned") })
		ns.OnServerEvent("bytes", func(context.Context, *node.ServerEvent) (any, error) { return []byte{byte(i)}, nil })
		ns.OnServerEvent("unsendable", func(context.Context, *node.ServerEvent) (any, error) { return func() {}, nil })
		// Servers may ask each other while they are asked.
		ns.OnServerEvent("ask back", func(ctx context.Context, e *node.ServerEvent) (any, error) {
			a, err := ns.ServerSideCall(ctx, e.From, "sum", 1, 1)
			if err != nil {
				return nil, err
			}
			return a.Args.Len(), nil
		})
	}
	chat := all[0].Of("/chat")
	for n := range 100 {
		must(t, chat.ServerSideEmit(ctx, "note", n))
	}
	order := map[string]int{"1": 0, "2": 0}
	for range 200 {
		line := wait(t, got, "a note")
		who := line[:1]
		if want := fmt.Sprint(who, " note ", order[who], " true"); line != want {
			t.Fatalf("got %s, want %s", line, want)
		}
		order[who]++
	}
	collect := func(event string, args ...any) string {
		t.Helper()
		answers, err := chat.ServerSideCollect(ctx, event, args...)
		must(t, err)
		var out []string
		for _, a := range answers {
			i := slices.IndexFunc(all, func(m *member) bool { return m.ID() == a.Node })
			if a.Failed {
				out = append(out, fmt.Sprint(i, " failed"))
			} else {
				out = append(out, fmt.Sprint(i, " ", string(a.Args.Raw(0)), " ", len(a.Args.Attachments())))
			}
		}
		return strings.Join(sorted(out), ", ")
	}
	for _, test := range [][2]string{
		{collect("sum", 1, 2), "1 4 0, 2 5 0"},
		{collect("sum", "x"), "1 failed, 2 failed"},
		{collect("fail"), "1 failed, 2 failed"},
		{collect("panic"), "1 failed, 2 failed"},
		{collect("unsendable"), "1 failed, 2 failed"},
		{collect("unknown"), "1 failed, 2 failed"},
		{collect("bytes"), `1 {"_placeholder":true,"num":0} 1, 2 {"_placeholder":true,"num":0} 1`},
		{collect("ask back"), "1 1 0, 2 1 0"},
	} {
		if test[0] != test[1] {
			t.Errorf("got %s, want %s", test[0], test[1])
		}
	}
	one, err := chat.ServerSideCall(ctx, all[2].ID(), "sum", 20, 20)
	if err != nil || one.Failed || string(one.Args.Raw(0)) != "42" {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := chat.ServerSideCall(ctx, "nobody", "sum"); err == nil {
		t.Error("a server that does not exist was asked")
	}
}

// One server is silent and one is killed: everything returns, says who is
// missing, and does not wait for the dead.
func TestPartialResults(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, m *member) (found int, err error){
		"acks": func(ctx context.Context, m *member) (int, error) {
			n := 0
			for _, err := range m.To("room").EmitWithAck(ctx, "q", "x") {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		},
		"fetch": func(ctx context.Context, m *member) (int, error) {
			n := 0
			for _, err := range m.Of("/").FetchSockets(ctx) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		},
		"count": func(ctx context.Context, m *member) (int, error) { return m.To("room").CountSockets(ctx) },
		"rooms": func(ctx context.Context, m *member) (int, error) {
			rooms, err := m.Of("/").Rooms(ctx)
			return len(rooms), err
		},
		"join": func(ctx context.Context, m *member) (int, error) { return 1, m.To("room").SocketsJoin(ctx, "room") },
		"server side": func(ctx context.Context, m *member) (int, error) {
			a, err := m.Of("/").ServerSideCollect(ctx, "hello")
			return len(a), err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := cluster(t, 4, nil)
			crowd(t, all)
			for _, m := range all {
				m.Of("/").OnServerEvent("hello", func(context.Context, *node.ServerEvent) (any, error) { return m.ID(), nil })
			}
			healthy, err := call(t.Context(), all[0])
			must(t, err)

			all[1].kill(t) // and the others know
			if _, err := call(t.Context(), all[0]); err != nil {
				t.Errorf("a dead server is still waited for: %v", err)
			}
			all[2].freeze(t)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			n, err := call(ctx, all[0])
			p, ok := errors.AsType[*node.PartialError](err)
			if !ok || len(p.FailedNodes) != 1 || p.FailedNodes[0] != (node.FailedNode{Node: all[2].ID(), Reason: "timeout"}) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with a silent server: %v (%+v)", err, p)
			}
			if n == 0 {
				t.Error("nothing of the living")
			}
			// It dies while somebody waits for it, for much longer.
			type outcome struct {
				n   int
				err error
			}
			done := make(chan outcome, 1)
			all[0].Go(func(context.Context) error {
				long, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				n, err := call(long, all[0])
				done <- outcome{n, err}
				return nil
			})
			all[2].kill(t)
			got := wait(t, done, "the result")
			// Dead, or unreachable if it was asked for after its end.
			if p, ok := errors.AsType[*node.PartialError](got.err); got.err != nil && (!ok || p.Err != nil || p.FailedNodes[0].Reason == "timeout") {
				t.Errorf("with a server that dies: %+v", p)
			}
			if got.n == 0 || got.n > healthy {
				t.Errorf("found %d of %d", got.n, healthy)
			}
		})
	}
}

// What a server publishes while another is frozen arrives when that goes on.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	peers := crowd(t, all)
	ctx := t.Context()
	must(t, all[1].hub.Freeze(all[1].ID()))
	for i := range 10 {
		must(t, all[0].To("room").Emit(ctx, "n", i))
	}
	for i := range 10 {
		want := fmt.Sprint("n ", i)
		peers[0].expect(want)
		peers[2].expect(want)
	}
	peers[1].none(all[1].server, "nothing yet")
	must(t, all[1].hub.Thaw(all[1].ID()))
	for i := range 10 {
		peers[1].expect(fmt.Sprint("n ", i))
	}
}

// Losses between servers are counted.
func TestLossesAreCounted(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, nil)
	peers := crowd(t, all)
	ctx := t.Context()
	all[0].hub.Partition([]string{all[0].ID()}, []string{all[1].ID()})
	for range 7 {
		must(t, all[0].To("room").Emit(ctx, "lost"))
	}
	all[0].hub.Heal()
	must(t, all[0].To("room").Emit(ctx, "found"))
	peers[1].expect("found")
	if n := all[1].Stats().BackplaneLost; n != 7 {
		t.Errorf("%d lost", n)
	}
}

// What is emitted when the own server is cut off reaches its own clients, and
// the error says that it reached nobody else.
func TestCutOff(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, nil)
	peers := crowd(t, all)
	all[0].kill(t)
	err := all[0].Emit(t.Context(), "here")
	if !errors.Is(err, backplane.ErrClosed) {
		t.Errorf("Emit: %v", err)
	}
	peers[0].expect("here")
}
