package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// world is a cluster with its clients.
type world struct {
	t       *testing.T
	hub     *memory.Hub
	group   *static.Group
	servers []*server
	net     *network
	model   *model
	peers   []*peer
	seed    uint64

	// Of the plan.
	rand   *rand.Rand
	ids    int // of events
	unsure int // events for everybody that may be lost

	upset   atomic.Int64 // when a server was stopped, ended or let go on, in Unix nanoseconds
	allSent atomic.Int64
	witness struct {
		sync.Mutex
		seqs []uint64
	}
}

type server struct {
	*node.Server
	addr string
	http *httptest.Server
	up   atomic.Bool // it answers other servers, and clients may go there
}

// patience bounds every wait; none waits it out.
const patience = 30 * time.Second

var rooms = []string{"a", "b", "c", "d"}

// newWorld starts servers and clients.
func newWorld(t *testing.T, servers int, change func(*node.Config)) *world {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d", s)
	kinds := slices.Concat(slices.Repeat([]string{goClient}, goClients), slices.Repeat([]string{jsClient}, jsClients))
	w := &world{
		t: t, hub: memory.NewHub(memory.Config{}), group: static.NewGroup(), model: newModel(kinds...), seed: s,
		net:  &network{rand: rand.New(rand.NewPCG(s, 1))},
		rand: rand.New(rand.NewPCG(s, 2)),
	}
	for i := range servers {
		w.servers = append(w.servers, w.start(i, change))
	}
	w.watch()
	for i := range goClients {
		w.peers = append(w.peers, w.goPeer(i))
	}
	w.peers = append(w.peers, w.jsPeers(goClients, jsClients)...)
	return w
}

// How many clients there are of each kind.
const goClients, jsClients = 12, 9

func (w *world) start(i int, change func(*node.Config)) *server {
	w.t.Helper()
	bp, err := w.hub.Join(membership.NewID())
	if err != nil {
		w.t.Fatal(err)
	}
	self, err := w.group.Join(membership.Member{ID: bp.ID()})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := node.Config{Backplane: bp, Membership: self, Recovery: node.Recovery{
		// A client may be away for a while on a busy machine, and the bounds have
		// their own tests. A session moves with all that it keeps.
		Enabled: true, SessionEvents: 4096, SessionBytes: 4 << 20, ReplayEvents: 1_000_000, ReplayBytes: 256 << 20,
	}}
	cfg.Logger = slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg.Transport.Shards = 3
	// The server notices by itself that a client has gone.
	cfg.Transport.PingInterval, cfg.Transport.PingTimeout = 2*time.Second, 3*time.Second
	if change != nil {
		change(&cfg)
	}
	srv, err := node.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &server{Server: srv}
	s.up.Store(true)
	srv.Of("/").OnConnect(func(ctx context.Context, sock *node.Socket) error { return w.onConnect(ctx, sock, i) })
	s.http = httptest.NewServer(srv)
	s.addr = strings.TrimPrefix(s.http.URL, "http://")
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for session := range srv.Engine().All() {
			session.Abort(transport.ReasonTransportError) // of clients that are gone already
		}
		if err := srv.Shutdown(ctx); err != nil {
			w.t.Errorf("shutdown: %v", err)
		}
		s.http.Close()
		_ = bp.Close(ctx)
	})
	return s
}

// auth is what a client says about itself.
type auth struct {
	Client  int    `json:"client"`
	Claimed bool   `json:"claimed"`           // it presents a session
	Session string `json:"session,omitempty"` // the id of the one that it had, if it knows that
	Witness bool   `json:"witness,omitempty"`
}

// onConnect notes the socket. A new session begins with its name, before it is
// in any room but its own.
func (w *world) onConnect(ctx context.Context, s *node.Socket, at int) error {
	var a auth
	if err := s.Auth(&a); err != nil {
		return err
	}
	if a.Witness {
		return s.Join("all")
	}
	if !s.Recovered() {
		if err := s.Emit(ctx, "born:"+s.ID()); err != nil {
			return err
		}
	}
	w.model.connected(s, a.Client, at, a.Claimed, a.Session, w.answered)
	if err := s.Join("all"); err != nil || s.Recovered() {
		return err
	}
	return s.Emit(ctx, "joined") // what everybody gets from here on, it gets
}

// anyAddr is the address of a server that clients may go to.
func (w *world) anyAddr() string {
	var up []string
	for _, s := range w.servers {
		if s.up.Load() {
			up = append(up, s.addr)
		}
	}
	return up[rand.IntN(len(up))]
}

// watch connects a client on a link that holds.
func (w *world) watch() {
	w.t.Helper()
	c, err := client.Dial(w.t.Context(), "http://"+w.servers[0].addr, client.Config{Transports: []client.Transport{client.WebSocket}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = c.Close()
		<-c.Done()
	})
	s, err := c.Of("/", auth{Witness: true})
	if err != nil {
		w.t.Fatal(err)
	}
	s.OnAny(func(e *client.Event) {
		if e.Name != "all" {
			return
		}
		o, ok, err := offsetOf(rawArguments(e))
		if !ok {
			w.model.fault(other, "the witness got an event without offset: %v", err)
		}
		w.witness.Lock()
		w.witness.seqs = append(w.witness.seqs, o.Seq)
		w.witness.Unlock()
	})
	if err := s.Connect(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for what can only be looked at.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if w.model.failed() {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("seed %d: waited %v for %s", w.seed, patience, what)
		}
	}
}

// answered reports whether a session of a server could be had: it answers, and
// no server has just been upset, upon which sessions that were on their way
// between two of them may be with the wrong one.
func (w *world) answered(i int) bool {
	return w.servers[i].up.Load() && time.Since(time.Unix(0, w.upset.Load())) > 2*time.Second
}

// event is something that happens when a part of the connections is lost.
type event struct {
	after float64
	do    func()
}

// lost is how many connections were lost that had been up.
func (w *world) lost() (n int) {
	for _, p := range w.peers {
		n += int(p.lost.Load())
	}
	return n
}

// run lets n connections be lost while everything goes on, lets all settle, and
// checks.
func (w *world) run(n int, events ...event) {
	w.t.Helper()
	begun := time.Now()
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for i, s := range w.servers {
		busy.Go(func() { w.emitAll(stop, i, s) })
	}
	busy.Go(func() { w.emitSide(stop) })
	busy.Go(func() { w.cutLinks(stop) })
	steps := 0
	for w.lost() < n && !w.model.failed() {
		if len(events) > 0 && float64(w.lost()) >= events[0].after*float64(n) {
			events[0].do()
			events = events[1:]
		}
		w.step()
		steps++
	}
	close(stop)
	busy.Wait()
	w.net.mend()
	if !w.model.failed() {
		w.settle()
	}
	w.report(steps, time.Since(begun))
}

// settle waits until every client has all that it is due.
func (w *world) settle() {
	w.t.Helper()
	w.until("all clients to be connected", func() bool {
		return !slices.ContainsFunc(w.peers, func(p *peer) bool { return !p.connected() })
	})
	w.until("all events to arrive", func() bool {
		return !slices.ContainsFunc(w.peers, func(p *peer) bool {
			ss := p.cur.Load()
			return ss == nil || !ss.settled()
		})
	})
	w.until("the witness", func() bool {
		w.witness.Lock()
		defer w.witness.Unlock()
		return int64(len(w.witness.seqs)) == w.allSent.Load()
	})
	w.witness.Lock()
	witness := slices.Clone(w.witness.seqs)
	w.witness.Unlock()
	for _, p := range w.peers {
		if p.agrees != nil {
			w.until(fmt.Sprintf("client %d to agree with its server about its session", p.index), p.agrees)
		}
		if len(witness) > 0 {
			w.until("the last events for everybody", func() bool { return p.cur.Load().reached(witness[len(witness)-1]) })
		}
	}
	for _, ss := range w.model.known() {
		if c, text := ss.checkAll(witness, w.peers[ss.client].cur.Load() != ss); c != "" {
			w.model.fault(c, "%s", text)
		}
	}
}

// must reports an error of a call that must not fail.
func (w *world) must(what string, err error) {
	if err != nil {
		w.model.fault(other, "%s: %v", what, err)
	}
}
