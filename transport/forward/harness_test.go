package forward

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/transport"
)

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

const secret = "a secret of the cluster"

// app echoes, and tells the test of sessions.
type app struct {
	opened chan *transport.Session
	closed chan transport.Reason
	texts  chan string
	hold   chan struct{} // if not nil, Text waits for it
}

func (a *app) Open(s *transport.Session) error { a.opened <- s; return nil }

func (a *app) Text(s *transport.Session, data []byte) {
	if a.hold != nil {
		<-a.hold
	}
	select {
	case a.texts <- string(data):
	default:
	}
	s.Send(transport.NewText(append([]byte{}, data...)), 0, false)
}

func (a *app) Binary(s *transport.Session, data []byte) {
	s.Send(transport.NewBinary(append([]byte{}, data...)), 0, false)
}

func (a *app) Close(_ *transport.Session, r transport.Reason) { a.closed <- r }

// testNode is one node: an engine, its forwarder, and both listeners.
type testNode struct {
	testing.TB
	name     string
	member   *static.Static
	fwd      *Forwarder
	engine   *transport.Engine
	app      *app
	addr     string // of the clients' listener
	internal *http.Server
	public   *http.Server
	client   *http.Client
	tls      *tls.Config // of clients
}

// options change what a node is made of.
type options struct {
	transport transport.Config
	forward   Config
	token     string                   // instead of the member's own
	internal  *tls.Config              // of the internal listener
	public    *tls.Config              // of the clients' listener
	client    *tls.Config              // of clients
	between   func(addr string) string // what others know as the address of the internal listener
	servers   func(*http.Server)       // changes both
	at        *http.Handler            // what the internal listener serves, instead of the forwarder
	hold      chan struct{}
}

// cluster starts n nodes that know each other. change may be nil.
func cluster(t testing.TB, n int, change func(i int, o *options)) []*testNode {
	t.Helper()
	group := static.NewGroup()
	nodes := make([]*testNode, n)
	for i := range nodes {
		o := options{forward: Config{Secrets: []string{secret}}}
		if change != nil {
			change(i, &o)
		}
		nodes[i] = startNode(t, group, string(rune('a'+i)), o)
	}
	return nodes
}

func startNode(t testing.TB, group *static.Group, name string, o options) *testNode {
	t.Helper()
	inner, outer := listen(t), listen(t)
	addr := inner.Addr().String()
	if o.between != nil {
		addr = o.between(addr)
	}
	member, err := group.Join(membership.Member{Name: name, Addr: addr, Token: o.token})
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{
		TB: t, name: name, member: member, addr: outer.Addr().String(), tls: o.client,
		app: &app{
			opened: make(chan *transport.Session, 1024), closed: make(chan transport.Reason, 1024),
			texts: make(chan string, 1024), hold: o.hold,
		},
	}
	if o.forward.Membership == nil {
		o.forward.Membership = member
	}
	if n.fwd, err = New(o.forward); err != nil {
		t.Fatal(err)
	}
	cfg := o.transport
	cfg.Path, cfg.Shards, cfg.Foreign = "/engine.io/", 1, n.fwd
	if cfg.Token == "" {
		cfg.Token = member.Self().Token
	}
	if n.engine, err = transport.New(cfg, n.app); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(Path, n.fwd.Handler(n.engine))
	n.internal = &http.Server{Handler: mux, Protocols: Protocols(), TLSConfig: o.internal}
	if o.at != nil {
		n.internal.Handler = *o.at
	}
	n.public = &http.Server{Handler: n.engine, TLSConfig: o.public}
	for _, s := range []*http.Server{n.internal, n.public} {
		s.ErrorLog = log.New(io.Discard, "", 0)
	}
	if o.servers != nil {
		o.servers(n.internal)
		o.servers(n.public)
	}
	var wg sync.WaitGroup
	wg.Go(func() { serve(n.internal, inner) })
	wg.Go(func() { serve(n.public, outer) })
	tr := &http.Transport{TLSClientConfig: o.client, DisableCompression: true, MaxIdleConnsPerHost: 100}
	n.client = &http.Client{Transport: tr}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_ = n.engine.Shutdown(ctx) // clients of a test may be deaf
		_ = n.fwd.Shutdown(ctx)
		_ = n.public.Close()
		_ = n.internal.Close()
		tr.CloseIdleConnections()
		wg.Wait()
		_ = member.Leave(context.Background())
	})
	return n
}

func serve(s *http.Server, l net.Listener) {
	if s.TLSConfig != nil {
		_ = s.ServeTLS(l, "", "")
	} else {
		_ = s.Serve(l)
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reply is a response, read to its end.
type reply struct {
	status int
	body   string
	header http.Header
	close  bool // the connection
}

func (n *testNode) url(query string) string {
	scheme := "http://"
	if n.tls != nil {
		scheme = "https://"
	}
	return scheme + n.addr + "/engine.io/?" + query
}

// do sends a request to this node. Headers named Host go where they belong.
func (n *testNode) do(method, query, body string, header ...string) reply {
	n.Helper()
	a, err := n.try(context.Background(), method, query, body, header...)
	if err != nil {
		n.Fatalf("%s %s at %s: %v", method, query, n.name, err)
	}
	return a
}

func (n *testNode) try(ctx context.Context, method, query, body string, header ...string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, n.url(query), in)
	if err != nil {
		return reply{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(b), resp.Header, resp.Close}, err
}

// later sends a request and gives its answer when it comes.
func (n *testNode) later(ctx context.Context, method, query, body string) <-chan reply {
	c := make(chan reply, 1)
	go func() {
		a, err := n.try(ctx, method, query, body)
		if err != nil {
			a.body = "error: " + err.Error()
		}
		c <- a
	}()
	return c
}

// open makes a polling session here; the query that it returns has its id.
func (n *testNode) open(query string, header ...string) string {
	n.Helper()
	query += "&transport=polling"
	a := n.do("GET", query, "", header...)
	if a.status != 200 {
		n.Fatalf("handshake at %s: %d %s", n.name, a.status, a.body)
	}
	return query + "&sid=" + sidOf(n, a.body)
}

func sidOf(t testing.TB, open string) string {
	t.Helper()
	_, rest, _ := strings.Cut(strings.ReplaceAll(open, `\"`, `"`), `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no sid in %q", open)
	}
	return sid
}

func (n *testNode) polls(query, want string, header ...string) reply {
	n.Helper()
	a := n.do("GET", query, "", header...)
	if a.status != 200 || a.body != want {
		n.Fatalf("poll at %s: %d %.200q, want %.200q", n.name, a.status, a.body, want)
	}
	return a
}

func (n *testNode) posts(query, body string, header ...string) {
	n.Helper()
	if len(header) == 0 {
		header = []string{"Content-Type", "text/plain;charset=UTF-8"}
	}
	if a := n.do("POST", query, body, header...); a.status != 200 || a.body != "ok" {
		n.Fatalf("post at %s: %d %.200q", n.name, a.status, a.body)
	}
}

// ends wants the next session to end for the given reason.
func (n *testNode) ends(want transport.Reason) {
	n.Helper()
	if got := recv(n, n.app.closed, "a session to end"); got != want {
		n.Errorf("a session of %s ended for %q, want %q", n.name, got, want)
	}
}

// sent wants the node's counter of a result.
func (n *testNode) sent(r Result, want uint64) {
	n.Helper()
	eventually(n, "the last request to be over", func() bool { return n.fwd.Stats().Pending == 0 })
	if got := n.fwd.Stats().Sent; got[r] != want {
		n.Errorf("%s counts %v, want %s=%d", n.name, got, r, want)
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

const (
	sessionUnknown = `{"code":1,"message":"Session ID unknown"}`
	outOfReach     = `{"code":1,"message":"Session out of reach"}`
)
