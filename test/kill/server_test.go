package kill

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/gossip"
	"github.com/siod-io/siod/node"
)

// serverEnv holds the settings of a process that is a server.
const serverEnv = "SIOD_KILL_SERVER"

// settings of a server process.
type settings struct {
	Name   string
	Store  bool   // it is one of the three that store
	Dir    string // of the store
	Join   []string
	Window time.Duration
	Rate   float64 // durable emits a second
	Rooms  int

	MaxBytes int64  // of each stream; 0: the usual bound
	NATS     string // servers outside; "": it has one of its own
	Replicas int    // servers that store

	// Where it listens.
	Gossip, Routes, Clients string
}

// clusterName is that of all servers; logKept is for how long the log keeps
// its entries, since it is read at the end.
const (
	clusterName = "kill"
	logKept     = 2 * time.Hour
)

var secrets = []string{"a secret of the kill tests"}

// roomName is the name of room i, and roomNumber the other way round.
func roomName(i int) string { return fmt.Sprintf("room %d", i) }

func roomNumber(name string) (i int) {
	_, _ = fmt.Sscanf(name, "room %d", &i)
	return i
}

// server is one node of the cluster, alone in its process.
type server struct {
	settings
	id    string
	lines chan []any // to be said

	gossip *gossip.Gossip
	nats   *embedded.Server
	asks   jetstream.JetStream // who leads
	bp     *natsio.Backplane
	srv    *node.Server

	stop  chan struct{}  // closed: emit no more
	emits sync.WaitGroup // goroutines that emit, and what they did not hear of yet

	requests requests
}

// serve runs the process until its input ends. It says what it does in lines of
// JSON, arrays that begin with a word.
func serve(config string, in io.Reader, out io.Writer) error {
	s := &server{id: membership.NewID(), lines: make(chan []any, 1<<16), stop: make(chan struct{})}
	if err := json.Unmarshal([]byte(config), &s.settings); err != nil {
		return err
	}
	go s.write(out)
	// The parent may end before the cluster stands.
	commands := make(chan string)
	go func() {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			commands <- lines.Text()
		}
		os.Exit(0)
	}()
	if err := s.start(context.Background()); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	for c := range commands {
		if err := s.obey(c); err != nil {
			return fmt.Errorf("%s: %s: %w", s.Name, c, err)
		}
	}
	return nil
}

func (s *server) say(line ...any) { s.lines <- line }

func (s *server) write(out io.Writer) {
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	for line := range s.lines {
		if enc.Encode(line) != nil {
			return
		}
		if len(s.lines) == 0 && w.Flush() != nil {
			return
		}
	}
}

// start puts the node together: who is there, the NATS server, the backplane on
// it, the Socket.IO server, and a listener for clients.
func (s *server) start(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("name", s.Name)
	var err error
	s.gossip, err = gossip.Start(ctx, gossip.Config{
		Self:    membership.Member{ID: s.id, Token: membership.Token(s.id), Name: s.Name, Started: time.Now()},
		Cluster: clusterName, Secrets: secrets, Listen: s.Gossip, Join: s.Join, Logger: log,
	})
	if err != nil {
		return err
	}
	s.say("gossip", s.gossip.Addr())
	if s.NATS == "" {
		s.nats, err = embedded.Start(ctx, embedded.Config{
			Name: s.Name, Cluster: clusterName, Store: s.Replicas, IsStore: s.Store, Dir: s.Dir, Members: s.gossip,
			Routes: embedded.RouteConfig{Listen: s.Routes, Secrets: secrets, Insecure: true}, Logger: log,
		})
		if err != nil {
			return err
		}
	}
	if err := s.connect(ctx, log); err != nil {
		return err
	}
	var options []nats.Option
	if s.nats != nil {
		options = append(s.nats.NodeOptions(), nats.InProcessServer(s.nats))
	}
	nc, err := nats.Connect(s.NATS, append(options, nats.CustomInboxPrefix("_INBOX_node.kill"), nats.MaxReconnects(-1))...)
	if err != nil {
		return err
	}
	if s.asks, err = jetstream.New(nc); err != nil {
		return err
	}
	s.srv, err = node.New(node.Config{
		Backplane: s.bp, Membership: s.gossip, Logger: log,
		Recovery: node.Recovery{Enabled: true, Window: s.Window},
	})
	if err != nil {
		return err
	}
	s.handlers()
	l, err := net.Listen("tcp", s.Clients)
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, s.srv) }()
	s.say("listening", l.Addr().String(), s.id)
	s.emit()
	return nil
}

// connect joins the backplane. The store nodes make the streams; another one
// waits for them.
func (s *server) connect(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cfg := natsio.Config{
		ID: s.id, Token: membership.Token(s.id), Cluster: clusterName, URL: s.NATS, Logger: log,
		Log: &natsio.LogConfig{
			Replicas: s.Replicas, Window: logKept, MaxBytes: s.MaxBytes, Existing: s.NATS == "" && !s.Store,
			Nodes: func() int { return len(s.gossip.Members()) },
		},
		// Within a sixth of its window the store has to find a new leader.
		Sessions: &natsio.SessionConfig{Replicas: s.Replicas, File: true, MaxBytes: s.MaxBytes, Window: max(s.Window, time.Minute), Existing: s.NATS == "" && !s.Store},
	}
	if s.nats != nil {
		cfg.InProcess, cfg.Options = s.nats, s.nats.NodeOptions()
	}
	for {
		// A question to a leader that is no more may never be answered.
		once, cancel := context.WithTimeout(ctx, 4*time.Second)
		bp, err := natsio.Connect(once, cfg)
		cancel()
		if err == nil {
			s.bp = bp
			return nil
		}
		log.Warn("no backplane yet", "err", err)
		if !errors.Is(err, natsio.ErrNoStream) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// handlers let clients in, and change their rooms as they ask.
func (s *server) handlers() {
	ns := s.srv.Of("/")
	ns.OnServerEvent("question", func(context.Context, *node.ServerEvent) (any, error) { return s.Name, nil })
	ns.OnConnect(func(ctx context.Context, sock *node.Socket) error {
		if sock.Recovered() {
			return nil
		}
		return sock.Emit(ctx, "born", sock.ID())
	})
	ns.OnEvent("echo", func(ctx context.Context, e *node.Event) error { return e.Ack() })
	node.Handle(ns, "enter", func(_ context.Context, sock *node.Socket, rooms []int) (string, error) {
		names := make([]string, len(rooms))
		for i, r := range rooms {
			names[i] = roomName(r)
		}
		err := sock.Join(names...)
		if errors.Is(err, node.ErrNotJournaled) {
			return notJournaled, nil
		}
		return "", err
	})
	ns.OnEvent("cast", func(ctx context.Context, e *node.Event) error {
		var kind, event string
		if err := e.Decode(&kind, &event); err != nil {
			return err
		}
		to := ns.To().Fast()
		if kind == "volatile" {
			to = to.Volatile()
		}
		return to.Emit(ctx, event)
	})
	// Its answer is an event, which says at which position the change was made.
	ns.OnEvent("room", func(ctx context.Context, e *node.Event) error {
		var op, room int
		var join bool
		if err := e.Decode(&op, &join, &room); err != nil {
			return err
		}
		var err error
		if join {
			err = e.Socket.Join(roomName(room))
		} else {
			err = e.Socket.Leave(roomName(room))
		}
		what := ""
		switch {
		case errors.Is(err, node.ErrNotJournaled):
			what = notJournaled
		case errors.Is(err, node.ErrMoved), errors.Is(err, node.ErrDisconnected):
			return nil // the client asks again where it is now
		case err != nil:
			what = err.Error()
		}
		if err := e.Socket.Emit(ctx, "done", op, what); err != nil && !errors.Is(err, node.ErrMoved) && !errors.Is(err, node.ErrDisconnected) {
			return err
		}
		return nil
	})
}

// notJournaled is what a client is told of ErrNotJournaled.
const notJournaled = "not journaled"
