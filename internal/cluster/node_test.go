package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport/forward"
)

var testSecrets = []string{"a secret of the tests"}

// patience bounds every wait.
const patience = 30 * time.Second

// process is what a command makes of a Node: a server with two listeners.
type process struct {
	*Node
	srv  *node.Server
	url  string
	stop func() error
}

// run starts one, with a room that whoever asks for joins, and stops it with
// the test unless that was done before.
func run(t testing.TB, c Config, change ...func(*node.Config)) (*process, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var h atomic.Pointer[http.Handler]
	private := &http.Server{Protocols: forward.Protocols(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := h.Load(); h != nil {
			(*h).ServeHTTP(w, r)
		}
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = private.Serve(ln) }()
	closeListener := func() { _ = private.Close(); <-served }
	c.Internal = ln.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := Start(ctx, c)
	if err != nil {
		closeListener()
		return nil, err
	}
	cfg := node.Config{Recovery: node.Recovery{Enabled: c.Stores > 0 || c.alone()}}
	n.Configure(&cfg)
	for _, f := range change {
		f(&cfg)
	}
	srv, err := node.New(cfg)
	if err != nil {
		closeListener()
		return nil, errors.Join(err, n.Stop(ctx, nil))
	}
	node.Handle(srv.Of("/"), "join", func(_ context.Context, s *node.Socket, room string) (node.None, error) {
		return node.None{}, s.Join(room)
	})
	node.Handle(srv.Of("/"), "where", func(context.Context, *node.Socket, node.None) (string, error) { return n.ID(), nil })
	if f := n.Forwarded(srv); f != nil {
		h.Store(&f)
	}
	n.Join(ctx)
	public := httptest.NewServer(srv)
	p := &process{Node: n, srv: srv, url: public.URL}
	p.stop = sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := n.Stop(ctx, srv.Shutdown) // polls that wait on other nodes are cut then
		public.Close()
		closeListener()
		return err
	})
	t.Cleanup(func() { _ = p.stop() })
	return p, nil
}

// three starts a cluster of three nodes that store, at the same time: each waits
// for the others.
func three(t *testing.T) []*process {
	t.Helper()
	// The first one's gossip has to be known to the others before it has
	// started.
	addr := testaddr.Free(t)
	all, errs := make([]*process, 3), make([]error, 3)
	var wg sync.WaitGroup
	for i := range all {
		c := Config{
			Name: string(rune('a' + i)), Secrets: testSecrets, Gossip: addr, Stores: 3, Store: true, StoreDir: t.TempDir(), Recovery: true, StartTimeout: patience,
		}
		if i > 0 {
			c.Gossip, c.Join = "127.0.0.1:0", []string{addr}
		}
		wg.Go(func() { all[i], errs[i] = run(t, c) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return all
}

// eventually asks until it is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// A server on its own listens nowhere, keeps its log in memory, and has no
// figures of a cluster.
func TestAlone(t *testing.T) {
	t.Parallel()
	p, err := run(t, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Healthy(ctx); err != nil {
		t.Error(err)
	}
	if p.Clustered() || p.Stats() != nil || p.Forwarded(p.srv) != nil {
		t.Error("it is part of a cluster")
	}
	if m := p.Members(); len(m.Nodes) != 1 || m.Self != p.ID() || m.Nodes[0].ID != p.ID() || !m.Nodes[0].Heard {
		t.Errorf("members: %+v", m)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// A node that starts is asked nothing until it serves, and a node that serves has
// heard the others: the requests of both sides are whole from the first one on.
func TestStarting(t *testing.T) {
	t.Parallel()
	c := Config{Secrets: testSecrets, Gossip: "127.0.0.1:0", Internal: "127.0.0.1:1"}
	one, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	whole := func(what string, p *process) {
		t.Helper()
		if _, err := p.srv.Of("/").To().CountSockets(ctx); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	c.Join = []string{one.gossip.Addr()}
	late, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Stop(ctx, nil) }()
	seen := func(state string) func() bool {
		return func() bool {
			return slices.ContainsFunc(one.Members().Nodes, func(m Member) bool { return m.ID == late.ID() && m.Heard && m.State == state })
		}
	}
	eventually(t, "the node is known and heard", seen("starting"))
	whole("while another node starts", one) // it has no server that could answer
	for range 5 {
		p, err := run(t, c)
		if err != nil {
			t.Fatal(err)
		}
		whole("of a node that has just started", p)
		whole("of one that knows it", one)
	}
	begun := time.Now()
	late.Join(ctx)
	if took := time.Since(begun); took > meetTime+startingTime {
		t.Errorf("it waited %v for nodes that were there", took)
	}
	eventually(t, "the node serves", seen("alive"))
}

// Three nodes with a store are one server: a poll that another node gets reaches
// its session, broadcasts reach every client, durable ones too, and a node that
// stops takes leave of the others and leaves nothing behind.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	all := three(t)
	for _, p := range all {
		eventually(t, "every node hears the others", func() bool {
			m := p.Members()
			return len(m.Nodes) == 3 && !slices.ContainsFunc(m.Nodes, func(m Member) bool {
				return !m.Heard || m.State != "alive" || !m.Store || m.Route == "" || m.Addr == ""
			})
		})
		if err := p.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
	}
	var next atomic.Uint32
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all[int(next.Add(1))%3].srv.ServeHTTP(w, r)
	}))
	defer balancer.Close()
	homes := map[string]int{}
	var got []<-chan *client.Event
	for range 6 {
		s := poll(t, balancer.URL)
		testclient.Call[any](t, s, "join", "room")
		homes[testclient.Call[string](t, s, "where")]++
		got = append(got, testclient.Events(s, "news"))
	}
	if len(homes) < 2 {
		t.Errorf("all clients live on one node: %v", homes)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := map[string]bool{}
	for _, p := range all {
		for kind, b := range map[string]node.Broadcast{"durable": p.srv.To("room").Durable(), "fast": p.srv.To("room").Fast()} {
			if err := b.Emit(ctx, "news", kind+" from "+p.Members().Self); err != nil {
				t.Fatal(err)
			}
			want[kind+" from "+p.ID()] = true
		}
	}
	for i, events := range got {
		seen := map[string]bool{}
		for range want {
			seen[testclient.Next1[string](t, events)] = true
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("client %d: -want +got:\n%s", i, diff)
		}
	}
	var records, sent, served uint64 // which nodes have sessions is not known
	for _, p := range all {
		eventually(t, "every node has what was stored", func() bool { return p.Stats().Logs[0].Applied >= 3 })
		st := p.Stats()
		if !st.Healthy || st.Members["alive"] != 3 || st.Gossip.Members != 2 || st.Backplane.Peers != 2 || st.Server.Peers != 2 ||
			len(st.Logs) != 1 || st.Logs[0].Applied != 3 {
			t.Errorf("figures: %+v", st)
		}
		records += st.Sessions.Records
		sent += st.Forward.Sent[forward.Forwarded]
		served += st.Forward.Served[forward.Forwarded]
	}
	if records == 0 || sent == 0 || served == 0 {
		t.Errorf("%d sessions recorded, %d requests passed on, %d taken", records, sent, served)
	}
	joinThenEmit(ctx, t, all)

	if err := all[2].stop(); err != nil {
		t.Error(err)
	}
	for _, p := range all[:2] {
		eventually(t, "the others know that it left", func() bool { return len(p.Members().Nodes) == 2 })
	}
	if err := all[0].srv.To("room").Durable().Emit(ctx, "news", "two of three"); err != nil {
		t.Errorf("the store does not work on two nodes of three: %v", err)
	}
}

// poll connects a client that only polls.
func poll(t testing.TB, url string) *client.Socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, client.Config{Transports: []client.Transport{client.Polling}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); <-c.Done() })
	s, err := c.Connect(ctx, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A node learns that a later boot has its name; the other nodes have the later
// one. Without a store the cluster is fast only.
func TestReplaced(t *testing.T) {
	t.Parallel()
	c := Config{Name: "a", Secrets: testSecrets, Gossip: "127.0.0.1:0"}
	first, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Join = []string{first.gossip.Addr()}
	c.Name = "b"
	other, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Name = "a"
	second, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-first.Failed():
		if !errors.Is(err, ErrReplaced) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the first boot goes on")
	}
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	for _, p := range []*process{other, second} {
		eventually(t, "the later boot is the one", func() bool {
			m := p.Members()
			return len(m.Nodes) == 2 && m.Nodes[0].ID == second.ID() && m.Nodes[0].Heard && m.Nodes[1].ID == other.ID()
		})
	}
	select {
	case err := <-second.Failed():
		t.Errorf("the second boot failed: %v", err)
	default:
	}
}

// A node that waits for store nodes which do not come gives up, says what is
// missing, and leaves nothing behind; one whose start is cut short, too.
func TestStoreNodesDoNotCome(t *testing.T) {
	t.Parallel()
	c := Config{Name: "a", Secrets: testSecrets, Gossip: "127.0.0.1:0", Stores: 3, Store: true, StartTimeout: 300 * time.Millisecond}
	if _, err := run(t, c); err == nil || !strings.Contains(err.Error(), "1 of 3 store nodes seen") {
		t.Errorf("a store node alone: %v", err)
	}
	c.Store = false
	if _, err := run(t, c); err == nil {
		t.Error("it runs without a store")
	}
	c.StartTimeout = patience
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c.Internal = "127.0.0.1:1"
	if _, err := Start(ctx, c); err == nil {
		t.Error("it runs without a store")
	}
}

// The only node may keep a store, which outlives it, and open its NATS server to
// emitters.
func TestOnlyNode(t *testing.T) {
	t.Parallel()
	c := Config{Stores: 1, StoreDir: t.TempDir(), Recovery: true, NATS: NATS{Listen: "127.0.0.1:0"}, Secrets: testSecrets}
	for range 2 {
		p, err := run(t, c)
		if err != nil {
			t.Fatal(err)
		}
		s := poll(t, p.url)
		testclient.Call[any](t, s, "join", "room")
		got := testclient.Events(s, "news")
		if err := p.srv.To("room").Durable().Emit(t.Context(), "news", "stored"); err != nil {
			t.Error(err)
		}
		if text := testclient.Next1[string](t, got); text != "stored" {
			t.Errorf("got %q", text)
		}
		nc, err := net.Dial("tcp", p.server.ClientAddr())
		if err != nil {
			t.Error(err)
		} else {
			nc.Close()
		}
		if p.Clustered() || !p.Members().Nodes[0].Store {
			t.Errorf("members: %+v", p.Members())
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
}

// joinThenEmit: a client that one node lets into a room gets what another one
// emits there fast as soon as the join returned, though it lives on a third one.
func joinThenEmit(ctx context.Context, t *testing.T, all []*process) {
	t.Helper()
	_, s := testclient.Connect(t, all[1].url, "/", nil)
	fresh := testclient.Events(s, "fresh")
	for i := range 50 {
		room := fmt.Sprint("fresh ", i)
		if err := all[0].srv.To(s.ID()).SocketsJoin(ctx, room); err != nil {
			t.Fatal(err)
		}
		if err := all[2].srv.To(room).Fast().Emit(ctx, "fresh", i); err != nil {
			t.Fatal(err)
		}
		if n := testclient.Next1[int](t, fresh); n != i {
			t.Fatalf("event %d is missing, the next one is %d", i, n)
		}
	}
}
