package node_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// Shutdown ends contexts, waits for every handler and task, and lets
// OnDisconnect do its work, other servers included.
func TestShutdown(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, nil)
	srv := all[0]
	ns := srv.Of("/")
	other := all[1].connect(t, "/", nil)
	var j journal
	running := make(chan struct{}, 3)
	ns.OnEvent("work", func(ctx context.Context, e *node.Event) error {
		running <- struct{}{}
		<-ctx.Done()
		j.add("handler")
		return nil
	})
	ns.OnDisconnect(func(ctx context.Context, _ *node.Socket, r node.Reason) {
		must(t, ctx.Err())
		must(t, ns.Emit(ctx, "left", string(r)))
	})
	srv.Of("/slow").OnConnect(func(ctx context.Context, _ *node.Socket) error {
		running <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	must(t, srv.Go(func(ctx context.Context) error {
		running <- struct{}{}
		<-ctx.Done()
		j.add("task")
		return ctx.Err()
	}))
	p := srv.connect(t, "/", nil)
	p.emit("work")
	r := srv.raw(t, "4", "")
	r.send("40/slow,")
	for range 3 {
		wait(t, running, "what runs")
	}
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(context.Background()) }()
	if got := wait(t, p.ended, "the client's end"); got != client.TransportClose && got != client.TransportError {
		t.Errorf("the client was told %q, and would not come back", got)
	}
	r.closed() // without a refusal, after which a client would not come back either
	_ = r.conn.Close()
	must(t, wait(t, down, "Shutdown"))
	other.expect(`left "server shutting down"`)
	if n := node.Running(srv.Server); n > 0 {
		t.Errorf("%d goroutines left", n)
	}
	j.mu.Lock()
	if len(j.lines) != 2 {
		t.Errorf("journal %q", j.lines)
	}
	j.mu.Unlock()
	// Everything says that it is over, and nothing hangs.
	if err := srv.Go(func(context.Context) error { panic("never") }); !errors.Is(err, node.ErrClosed) {
		t.Errorf("Go: %v", err)
	}
	if err := srv.Emit(t.Context(), "x"); !errors.Is(err, node.ErrClosed) {
		t.Errorf("Emit: %v", err)
	}
	if _, err := ns.Broadcast().CollectAcks(t.Context(), "x"); !errors.Is(err, node.ErrClosed) {
		t.Errorf("CollectAcks: %v", err)
	}
	must(t, srv.Shutdown(t.Context()))
	if status, _ := srv.get(t, "/socket.io/?EIO=4&transport=polling"); status != http.StatusServiceUnavailable {
		t.Errorf("handshake: %d", status)
	}
}

// A handler that does not end does not hold Shutdown beyond its context.
func TestShutdownGivesUp(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	release, running := make(chan struct{}), make(chan struct{})
	srv.Of("/").OnEvent("hang", func(context.Context, *node.Event) error {
		close(running)
		<-release
		return nil
	})
	p := srv.connect(t, "/", nil)
	p.emit("hang")
	closed(t, running, "the handler")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	close(release)
}

func TestListenAndServe(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	srv.Of("/").OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	go func() { ended <- srv.Serve(ctx, ln, mux) }()
	srv.url = "http://" + ln.Addr().String()
	if status, _ := srv.get(t, "/hello"); status != http.StatusTeapot {
		t.Errorf("the other handler answered %d", status)
	}
	ask[any](srv.connect(t, "/", nil), "ping")
	cancel()
	must(t, wait(t, ended, "Serve"))

	again := start(t, nil)
	if err := again.ListenAndServe(t.Context(), "127.0.0.1:-1", nil); err == nil {
		t.Error("it listens on port -1")
	}
	if err := again.Serve(t.Context(), ln, nil); err == nil {
		t.Error("it serves a closed listener")
	}
	if status, _ := again.get(t, "/elsewhere"); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	must(t, node.Sleep(t.Context(), time.Nanosecond))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := node.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A panic in any kind of handler costs that call, and nothing else.
func TestPanics(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	boom := func() { panic("as planned") }
	ns.OnAny(func(_ context.Context, e *node.Event) error {
		if e.Name == "any" {
			boom()
		}
		return nil
	})
	ns.UseEvent(func(_ context.Context, e *node.Event) error {
		if e.Name == "use" {
			boom()
		}
		return nil
	})
	ns.OnEvent("event", func(context.Context, *node.Event) error { boom(); return nil })
	ns.OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
	ns.OnUnhandled(func(context.Context, *node.Event) error { boom(); return nil })
	ns.OnRoom(func(node.RoomEvent) { boom() })
	ended := make(chan struct{})
	ns.OnDisconnecting(func(context.Context, *node.Socket, node.Reason) { boom() })
	ns.OnDisconnect(func(context.Context, *node.Socket, node.Reason) { boom() })
	ns.OnDisconnect(func(context.Context, *node.Socket, node.Reason) { close(ended) })
	must(t, srv.Go(func(context.Context) error { boom(); return nil }))
	p := srv.connect(t, "/", nil)
	s := only(t, ns)
	must(t, s.Join("room"))
	for _, event := range []string{"any", "use", "event", "unhandled"} {
		got := ask[map[string]string](p, event)
		if got["error"] != "internal error" {
			t.Errorf("%s: %v", event, got)
		}
		ask[any](p, "ping")
	}
	must(t, p.Disconnect())
	closed(t, ended, "OnDisconnect")
	until(t, func() bool { return srv.Stats().Panics >= 9 })
}

// A client that sends more events than it may is read more slowly, and loses
// nothing.
func TestEventRate(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Transport.Events.PerSecond, c.Transport.Events.Burst = 1000, 5 })
	got := make(chan int, 100)
	node.On(srv.Of("/"), "n", func(_ context.Context, _ *node.Socket, n int) error { got <- n; return nil })
	p := srv.connect(t, "/", nil)
	began := time.Now()
	const n = 45
	for i := range n {
		p.emit("n", i)
	}
	for i := range n {
		if v := wait(t, got, "an event"); v != i {
			t.Fatalf("event %d came as %d", i, v)
		}
	}
	if took := time.Since(began); took < 39*time.Millisecond {
		t.Errorf("%d events at 1000 a second after 5 took only %v", n, took)
	}
	if srv.Stats().Transport.Throttled == 0 {
		t.Error("nothing was throttled")
	}
	// One that is held back notices the end all the same.
	slow := start(t, func(c *node.Config) {
		c.Transport.Events = transport.EventLimit{PerSecond: 1, Burst: 1, MaxPause: time.Minute}
	})
	ends := make(chan node.Reason, 1)
	slow.Of("/").OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) { ends <- r })
	q := slow.connect(t, "/", nil)
	for i := range 100 {
		q.emit("n", i)
	}
	until(t, func() bool { return slow.Stats().Transport.Throttled > 0 })
	only(t, slow.Of("/")).Disconnect(true)
	if r := wait(t, ends, "the end"); r != transport.ReasonServerNamespace {
		t.Errorf("reason %q", r)
	}
}

// A handler that ends its goroutine does not keep Shutdown waiting.
func TestGoexit(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	running := make(chan struct{}, 1)
	srv.Of("/").OnEvent("exit", func(context.Context, *node.Event) error {
		running <- struct{}{}
		runtime.Goexit()
		return nil
	})
	srv.connect(t, "/", nil).emit("exit")
	wait(t, running, "the handler")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, srv.Shutdown(ctx))
}
