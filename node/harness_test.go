package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// patience bounds every wait of a test for something that must happen; none
// waits it out.
const patience = 20 * time.Second

// server is a Server that listens, with the clients of a test.
type server struct {
	*node.Server
	url string
	bp  *memory.Backplane
}

// start serves a Server on its own. It and the clients of the test have ended
// when the test is over.
func start(t testing.TB, change func(*node.Config)) *server {
	t.Helper()
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, bp, self, change)
}

func startOn(t testing.TB, bp *memory.Backplane, self membership.Membership, change func(*node.Config)) *server {
	t.Helper()
	cfg := node.Config{Backplane: bp, Membership: self, Logger: logger(t)}
	cfg.Transport.Shards = 3
	if change != nil {
		change(&cfg)
	}
	srv, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		hs.Close()
		_ = bp.Close(ctx)
	})
	return &server{Server: srv, url: hs.URL, bp: bp}
}

// logger writes what the server says into the test's log.
func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	line, _, _ := strings.Cut(string(b), " stack=")
	w.t.Log(strings.TrimSpace(line))
	return len(b), nil
}

// dial connects a client that speaks WebSocket from the start and does not come
// back by itself.
func (s *server) dial(t testing.TB, change ...func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{NoReconnect: true, Transports: []client.Transport{client.WebSocket}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.Dial(t.Context(), s.url, cfg)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		<-c.Done()
	})
	return c
}

// connect is a client's socket in a namespace.
func (s *server) connect(t testing.TB, namespace string, auth any) *peer {
	t.Helper()
	p := s.peer(t, namespace, auth)
	if err := p.Connect(t.Context()); err != nil {
		t.Fatalf("connect to %s: %v", namespace, err)
	}
	return p
}

// peer is a socket that is not connected yet.
func (s *server) peer(t testing.TB, namespace string, auth any) *peer {
	t.Helper()
	return newPeer(t, s.dial(t), namespace, auth)
}

// peer is the client's side of a socket, with all that it receives.
type peer struct {
	*client.Socket
	client *client.Client
	t      testing.TB
	events chan *client.Event // that want no answer
	asked  chan *client.Event // that do, and that the test answers
	ended  chan client.Reason
}

func newPeer(t testing.TB, c *client.Client, namespace string, auth any) *peer {
	t.Helper()
	s, err := c.Of(namespace, auth)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{
		Socket: s, client: c, t: t,
		events: make(chan *client.Event, 4096), asked: make(chan *client.Event, 4096), ended: make(chan client.Reason, 16),
	}
	s.OnAny(func(e *client.Event) {
		if e.WantsAck() {
			p.asked <- e
		} else {
			p.events <- e
		}
	})
	s.OnDisconnect(func(r client.Reason) { p.ended <- r })
	return p
}

// emit sends an event.
func (p *peer) emit(event string, args ...any) {
	p.t.Helper()
	if err := p.Emit(p.t.Context(), event, args...); err != nil {
		p.t.Fatalf("emit %s: %v", event, err)
	}
}

// ask sends an event and returns the first value of the answer.
func ask[R any](p *peer, event string, args ...any) R {
	p.t.Helper()
	v, err := client.Call[R](p.t.Context(), p.Socket, event, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", event, err)
	}
	return v
}

// next is the next event, as its name and the JSON of its arguments.
func (p *peer) next() string {
	p.t.Helper()
	return spell(wait(p.t, p.events, "an event"))
}

// expect checks the next events.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next(); got != w {
			p.t.Fatalf("got %s, want %s", got, w)
		}
	}
}

// question is the next event of that name that wants an answer.
func (p *peer) question(name string) *client.Event {
	p.t.Helper()
	for {
		if e := wait(p.t, p.asked, name); e.Name == name {
			return e
		}
	}
}

// none checks that nothing came before the marks that the server sends now:
// whatever was sent earlier stands before them.
func (p *peer) none(s *server, mark string) {
	p.t.Helper()
	id := p.ID()
	ns, _ := s.Namespace(p.Namespace())
	sock, ok := ns.Socket(id)
	if !ok {
		p.t.Fatalf("no socket %s", id)
	}
	if err := sock.Emit(p.t.Context(), mark); err != nil {
		p.t.Fatal(err)
	}
	p.expect(mark)
}

func spell(e *client.Event) string {
	var b strings.Builder
	b.WriteString(e.Name)
	for i := range e.Len() {
		b.WriteByte(' ')
		b.Write(e.Raw(i))
	}
	return b.String()
}

// wait takes a value from c.
func wait[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("channel closed while waiting for %s", what)
		}
		return v
	case <-timer.C:
		t.Fatalf("waited %v for %s", patience, what)
	}
	panic("unreachable")
}

// closed waits until c is closed.
func closed(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Fatalf("waited %v for %s", patience, what)
	}
}

// until yields until ok, for what can only be looked at.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v", patience)
		}
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// journal is what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
}

// is checks what happened so far.
func (j *journal) is(t testing.TB, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if diff := cmp.Diff(want, j.lines); diff != "" {
		t.Error("journal (-want +got)\n" + diff)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// get is a plain HTTP request to the server.
func (s *server) get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	must(t, err)
	tr := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}
	res, err := tr.RoundTrip(req)
	must(t, err)
	defer res.Body.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return res.StatusCode, b.String()
		}
	}
}
