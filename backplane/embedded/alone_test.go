package embedded

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestAlone(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Name: "alone"})
	if s.RouteAddr() != "" || s.ClientAddr() != "" || s.Name() != "alone" {
		t.Errorf("route %q, client %q, name %q", s.RouteAddr(), s.ClientAddr(), s.Name())
	}
	nc := connect(t, s)
	sub, err := nc.SubscribeSync("sio.siod.f.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("sio.siod.f.n.all", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Data) != "hello" {
		t.Errorf("got %q", m.Data)
	}
	if got := nc.MaxPayload(); got != 8<<20 {
		t.Errorf("payloads of %d are allowed", got)
	}
	if _, err := nc.Request("$JS.API.INFO", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a server without a store was asked for it: %v", err)
	}
	if err := s.StoreReady(t.Context()); !errors.Is(err, ErrStores) {
		t.Errorf("StoreReady without a store: %v", err)
	}
}

// Nothing of a server that stands alone can be reached from outside.
func TestAloneDoesNotListen(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Name: "quiet", Store: 1})
	if a := s.ns.Addr(); a != nil {
		t.Errorf("clients can connect to %v", a)
	}
	if a := s.ns.ClusterAddr(); a != nil {
		t.Errorf("servers can connect to %v", a)
	}
	if a := s.ns.MonitorAddr(); a != nil {
		t.Errorf("it can be monitored at %v", a)
	}
}

func TestShutdownEndsConnections(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Name: "ends"})
	closed := make(chan struct{})
	nc := dial(t, "", append(s.NodeOptions(), nats.InProcessServer(s), nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))...)
	stop(t, s)
	<-closed
	if !nc.IsClosed() {
		t.Error("the connection lives on")
	}
	if _, err := s.InProcessConn(); !errors.Is(err, ErrClosed) {
		t.Errorf("a server that was shut down gives connections: %v", err)
	}
	stop(t, s) // again
}

func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Name: "bounded"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.mu.Lock() // as if another Shutdown were at it
	s.down = make(chan struct{})
	s.mu.Unlock()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with a context that ended: %v", err)
	}
	s.mu.Lock()
	s.down = nil
	s.mu.Unlock()
}

func TestAloneStoreOnDisk(t *testing.T) {
	t.Parallel()
	cfg := Config{Name: "disk", Store: 1, Dir: t.TempDir()}
	s := start(t, cfg)
	put(t, s, jetstream.FileStorage, 1, "first")
	stop(t, s)

	s = start(t, cfg)
	if got := last(t, s); got != "first" {
		t.Errorf("after a restart the newest entry is %q", got)
	}
	if err := s.StepDown(t.Context()); err != nil {
		t.Errorf("the only store steps down: %v", err)
	}
}

func TestAloneStoreInMemory(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Name: "memory", Store: 1})
	put(t, s, jetstream.MemoryStorage, 1, "kept")
	if got := last(t, s); got != "kept" {
		t.Errorf("the newest entry is %q", got)
	}
	js, err := jetstream.New(connect(t, s))
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "disk", Subjects: []string{"sio.siod.j.>"}, Storage: jetstream.FileStorage, MaxBytes: 1 << 20,
	})
	if err == nil {
		t.Error("a store without a directory took a stream for the disk")
	}
	dir := s.dir
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the temporary directory: %v", err)
	}
	stop(t, s)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory is left behind: %v", err)
	}
}

// The answer to a bad start is what nats-server said, and nothing is left.
func TestStartFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = Start(t.Context(), Config{Name: "late", Listen: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a server at a port in use: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ended, Config{Name: "late"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a start after its context ended: %v", err)
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Name: "late", Store: 1, Dir: file}); err == nil {
		t.Error("a file was taken for a store directory")
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var text logged
	s := start(t, Config{Name: "talks", Store: 1, Listen: "127.0.0.1:0", Logger: text.logger(slog.LevelDebug)})
	stop(t, s)
	got := text.String()
	if !strings.Contains(got, "Server is ready") || !strings.Contains(got, `msg="nats server"`) {
		t.Errorf("it did not say that it is ready:\n%s", got)
	}
	for _, level := range []string{"level=WARN", "level=ERROR"} {
		if strings.Contains(got, level) {
			t.Errorf("an ordinary run gives %s:\n%s", level, got)
		}
	}
	for _, secret := range s.secrets() {
		if strings.Contains(got, secret) {
			t.Errorf("the log has the password %q", secret)
		}
	}
	l := newServerLog(text.logger(slog.LevelInfo), []string{"hidden", ""}, unwanted)
	l.Errorf("route %v", "nats-route://route:hidden@host")
	if got := text.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "route:***@host") {
		t.Errorf("a secret is not replaced:\n%s", got)
	}
}

// put makes the stream "log" and stores an entry in it.
func put(t *testing.T, s *Server, storage jetstream.StorageType, replicas int, text string) {
	t.Helper()
	js, err := jetstream.New(connect(t, s))
	if err != nil {
		t.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "log", Subjects: []string{"sio.siod.i.>"}, Storage: storage, Replicas: replicas}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	eventually(t, "make a stream", func() error {
		_, err := js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
	publish(t, js, text)
}

// publish stores an entry, trying again while there is no leader.
func publish(t *testing.T, js jetstream.JetStream, text string) {
	t.Helper()
	eventually(t, "publish", func() error {
		_, err := js.Publish(t.Context(), "sio.siod.i.0.n.all", []byte(text), jetstream.WithMsgID(text))
		return err
	})
}

// last returns the newest entry of the stream "log".
func last(t *testing.T, s *Server) string {
	t.Helper()
	js, err := jetstream.New(connect(t, s))
	if err != nil {
		t.Fatal(err)
	}
	var got string
	eventually(t, "read the stream", func() error {
		st, err := js.Stream(t.Context(), "log")
		if err != nil {
			return err
		}
		m, err := st.GetLastMsgForSubject(t.Context(), "sio.siod.i.>")
		if err == nil {
			got = string(m.Data)
		}
		return err
	})
	return got
}
