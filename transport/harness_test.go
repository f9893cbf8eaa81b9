package transport

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// app is a Handler that tells the test what it is told. Text and Binary echo
// unless the test says otherwise.
type app struct {
	onOpen   func(*Session) error
	onText   func(*Session, []byte)
	onBinary func(*Session, []byte)
	opened   chan *Session
	closed   chan ended
}

type ended struct {
	s *Session
	r Reason
}

func newApp() *app { return &app{opened: make(chan *Session, 4096), closed: make(chan ended, 4096)} }

func (a *app) Open(s *Session) error {
	if a.onOpen != nil {
		if err := a.onOpen(s); err != nil {
			return err
		}
	}
	a.opened <- s
	return nil
}

func (a *app) Text(s *Session, data []byte) {
	if a.onText != nil {
		a.onText(s, data)
		return
	}
	s.Send(NewText(append([]byte{}, data...)), 0, false)
}

func (a *app) Binary(s *Session, data []byte) {
	if a.onBinary != nil {
		a.onBinary(s, data)
		return
	}
	s.Send(NewBinary(append([]byte{}, data...)), 0, false)
}

func (a *app) Close(s *Session, r Reason) { a.closed <- ended{s, r} }

// session waits for the next session to open.
func (a *app) session(t testing.TB) *Session {
	t.Helper()
	return recv(t, a.opened, "a session to open")
}

// end waits for the next session to end.
func (a *app) end(t testing.TB) ended {
	t.Helper()
	return recv(t, a.closed, "a session to end")
}

// ends wants the next session to end for the given reason.
func (a *app) ends(t testing.TB, want Reason) {
	t.Helper()
	if got := a.end(t).r; got != want {
		t.Errorf("ended for %q, want %q", got, want)
	}
}

func recv[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// server is an engine behind a real HTTP server on the loopback interface.
type server struct {
	*testing.T
	engine *Engine
	app    *app
	addr   string
	http   *http.Client
	tls    *tls.Config // of clients, nil for plain HTTP
}

func start(t *testing.T, cfg Config) *server {
	t.Helper()
	return startServer(t, cfg, &http.Server{}, nil)
}

func startServer(t *testing.T, cfg Config, hs *http.Server, clientTLS *tls.Config) *server {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = "/engine.io/"
	}
	if cfg.Shards == 0 {
		cfg.Shards = 2
	}
	a := newApp()
	e, err := New(cfg, a)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs.Handler = e
	var wg sync.WaitGroup
	wg.Go(func() {
		if clientTLS != nil {
			_ = hs.ServeTLS(l, "", "")
		} else {
			_ = hs.Serve(l)
		}
	})
	tr := &http.Transport{TLSClientConfig: clientTLS, DisableCompression: true, MaxIdleConnsPerHost: 100}
	s := &server{T: t, engine: e, app: a, addr: l.Addr().String(), http: &http.Client{Transport: tr}, tls: clientTLS}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_ = e.Shutdown(ctx) // clients of a test may be deaf
		_ = hs.Close()
		tr.CloseIdleConnections()
		wg.Wait()
		eventually(t, "the last session to go", func() bool { return e.Len() == 0 })
	})
	return s
}

func (s *server) url(query string) string {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + s.addr + s.engine.cfg.Path + "?" + query
}

// answer is a response, read to its end.
type answer struct {
	status int
	body   string
	header http.Header
}

func (s *server) do(method, query, body string, header ...string) answer {
	s.Helper()
	a, err := s.try(context.Background(), method, query, body, header...)
	if err != nil {
		s.Fatalf("%s %s: %v", method, query, err)
	}
	return a
}

func (s *server) try(ctx context.Context, method, query, body string, header ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url(query), r)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(b), resp.Header}, err
}

// later sends a request and gives its answer when it comes.
func (s *server) later(method, query, body string) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		a, err := s.try(context.Background(), method, query, body)
		if err != nil {
			a.body = "error: " + err.Error()
		}
		c <- a
	}()
	return c
}

// eventually polls for a state that has no event of its own.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
