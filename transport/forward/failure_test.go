package forward

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/transport"
)

// pair is a home that is not there, or not as it should be, and a node whose
// clients ask for it. at serves the home's address.
func pair(t *testing.T, at http.Handler) (n *testNode, query string) {
	t.Helper()
	group := static.NewGroup()
	hs := httptest.NewUnstartedServer(at)
	hs.Config.Protocols = Protocols()
	hs.Start()
	t.Cleanup(hs.Close)
	return startNode(t, group, "a", options{forward: Config{Secrets: []string{secret}, ReadTimeout: time.Minute}}),
		"EIO=4&transport=polling&sid=" + joined(t, group, hs.Listener.Addr().String()) + "aaaaaaaaaaaaaaaaaaaa"
}

// joined adds a member at an address and returns its token.
func joined(t *testing.T, group *static.Group, addr string) string {
	t.Helper()
	m, err := group.Join(membership.Member{Name: "home", Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	return m.Self().Token
}

func (n *testNode) refuses(query string, status int, body string) {
	n.Helper()
	if a := n.do("GET", query, ""); a.status != status || a.body != body {
		n.Errorf("poll: %d %s, want %d %s", a.status, a.body, status, body)
	}
	c := n.knock(nil, query)
	b, _ := io.ReadAll(c.accept.Body)
	if c.accept.StatusCode != status || string(b) != body {
		n.Errorf("upgrade: %s %s, want %d %s", c.accept.Status, b, status, body)
	}
}

func TestHomeUnknown(t *testing.T) {
	t.Parallel()
	n := cluster(t, 1, nil)[0]
	n.refuses("EIO=4&transport=polling&sid=nobodyaaaaaaaaaaaaaaaaaaaa", 400, sessionUnknown)
	n.sent(HomeUnknown, 2)

	// Nor is a node its own home: an engine that does not take the member's token
	// for its own was made wrong.
	n = cluster(t, 1, func(_ int, o *options) { o.transport.Token = "engine" })[0]
	n.refuses("EIO=4&transport=polling&sid="+n.member.Self().Token+"aaaaaaaaaaaaaaaaaaaa", 400, sessionUnknown)
	n.sent(HomeUnknown, 2)
}

// One that has left, or died, is unknown from then on.
func TestHomeGone(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	query := nodes[0].open("EIO=4")
	// One that drains still has its sessions.
	if err := nodes[0].member.SetLeaving(); err != nil {
		t.Fatal(err)
	}
	nodes[1].posts(query, "4x")
	nodes[1].polls(query, "4x")
	if err := nodes[0].member.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	nodes[1].refuses(query, 400, sessionUnknown)
	nodes[1].sent(HomeUnknown, 2)
}

// A member that nobody listens at: nothing was sent, so another node may try.
func TestHomeDead(t *testing.T) {
	t.Parallel()
	group := static.NewGroup()
	l := listen(t)
	l.Close()
	n := startNode(t, group, "a", options{forward: Config{Secrets: []string{secret}}})
	for i, addr := range []string{l.Addr().String(), ""} {
		m, err := group.Join(membership.Member{Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		n.refuses("EIO=4&transport=polling&sid="+m.Self().Token+"aaaaaaaaaaaaaaaaaaaa", 503, outOfReach)
		n.sent(HomeDead, uint64(2+2*i))
	}
}

// One that breaks the connection is not asked again: it may have taken the
// request.
func TestHomeBreaks(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	n, query := pair(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		panic(http.ErrAbortHandler)
	}))
	n.refuses(query, 502, outOfReach)
	if a := n.do("POST", query, "4x"); a.status != 502 {
		t.Errorf("post: %d %s", a.status, a.body)
	}
	n.sent(Broken, 3)
	if got := asked.Load(); got != 3 {
		t.Errorf("the home was asked %d times for 3 requests", got)
	}
}

// The same with a connection that was good before, and goes with requests on
// it.
func TestHomeKilled(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	other.posts(query, "4x")
	other.polls(query, "4x")
	upgraded := other.upgrade(home.open("EIO=4"))
	served := home.fwd.Stats().Served[Forwarded]
	poll := other.later(t.Context(), "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] > served })
	_ = home.internal.Close()
	if a := recv(t, poll, "the poll"); a.status != 502 || a.body != outOfReach {
		t.Errorf("the poll that waited: %d %s", a.status, a.body)
	}
	other.sent(Broken, 1)
	// The tunnel's connection is not the HTTP server's any more.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = home.engine.Shutdown(ctx)
	upgraded.closes(1012)
	upgraded.over()
	other.refuses(query, 503, outOfReach)
}

// An answer that breaks in the middle breaks the client's.
func TestAnswerBreaks(t *testing.T) {
	t.Parallel()
	n, query := pair(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(headVersion, version)
		_, _ = io.WriteString(w, "the first half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	a, err := n.try(t.Context(), "GET", query, "")
	if err == nil {
		t.Errorf("the client got %q as an answer", a.body)
	}
	n.sent(Broken, 1)
	n.sent(Forwarded, 0)
}

// What is no home is not believed, whatever it says.
func TestSomethingElseAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 302, 404} {
		n, query := pair(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		}))
		n.refuses(query, 502, outOfReach)
		n.sent(Broken, 2)
	}
}

// One that speaks no HTTP at all, or does not end its head.
func TestGarbageAnswers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"220 mail.example.com ESMTP\r\n\r\n", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHead/6), ""} {
		group, l := static.NewGroup(), listen(t)
		n := startNode(t, group, "a", options{forward: Config{Secrets: []string{secret}}})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = bufio.NewReader(c).ReadString('\n')
				_, _ = io.WriteString(c, text)
				c.Close()
			}
		}()
		t.Cleanup(func() { l.Close(); <-done })
		n.refuses("EIO=4&transport=polling&sid="+joined(t, group, l.Addr().String())+"aaaaaaaaaaaaaaaaaaaa", 502, outOfReach)
	}
}

// A home that does not answer is given up when the engine says so.
func TestLate(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	})
	n, query := pair(t, h)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, pass := range map[string]func(http.ResponseWriter, *http.Request, string) error{"forward": n.fwd.Forward, "tunnel": n.fwd.Tunnel} {
		r := httptest.NewRequestWithContext(ctx, "GET", "/engine.io/?"+query, http.NoBody)
		err := pass(httptest.NewRecorder(), r, sidOfQuery(query)[:membership.TokenLen])
		re, ok := err.(*transport.RequestError)
		if !ok || re.Status != http.StatusGatewayTimeout {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.sent(Late, 2)
}

// A home that hangs is noticed long before its session's next heartbeat.
func TestHomeHangs(t *testing.T) {
	t.Parallel()
	var gates []*gate
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.forward.CheckInterval, o.forward.CheckTimeout = 50*time.Millisecond, 50*time.Millisecond
		o.between = func(addr string) string {
			gates = append(gates, newGate(t, addr))
			return gates[len(gates)-1].addr
		}
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	poll := other.later(t.Context(), "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	gates[0].shut.Lock()
	a := recv(t, poll, "the poll")
	gates[0].shut.Unlock()
	if a.status != 502 || a.body != outOfReach {
		t.Errorf("the poll that waited: %d %s", a.status, a.body)
	}
	other.sent(Broken, 1)
	// The home notices, too: the poll was given up.
	home.ends(transport.ReasonTransportError)
}

// gate is a way to a listener that can be shut: what is sent then waits.
type gate struct {
	addr string
	shut sync.RWMutex // locked: shut
	wg   sync.WaitGroup
}

func newGate(t *testing.T, to string) *gate {
	l := listen(t)
	g := &gate{addr: l.Addr().String()}
	g.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			g.wg.Go(func() { g.pass(in, out) })
			g.wg.Go(func() { g.pass(out, in) })
		}
	})
	t.Cleanup(func() { l.Close(); g.wg.Wait() })
	return g
}

func (g *gate) pass(dst, src net.Conn) {
	defer dst.Close()
	b := make([]byte, 4096)
	for {
		n, err := src.Read(b)
		g.shut.RLock()
		_, werr := dst.Write(b[:n])
		g.shut.RUnlock()
		if err != nil || werr != nil {
			return
		}
	}
}

// A body that comes too slowly is given up, as at the home.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) { o.forward.ReadTimeout = 50 * time.Millisecond })
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	conn, err := net.Dial("tcp", other.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "POST /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4begun"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 || !resp.Close {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	home.ends(transport.ReasonTransportError)
	other.sent(BadBody, 1)
}

// One that goes away in the middle of its body ends its session.
func TestBodyBreaks(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	conn, err := net.Dial("tcp", other.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4begun"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	conn.Close()
	home.ends(transport.ReasonTransportError)
	if n := len(home.app.texts); n != 0 {
		t.Errorf("half a body was dispatched")
	}
}

// A client may leave between two steps of which none failed.
func TestClientGoneBetweenSteps(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &Forwarder{ctx: context.Background()}
	err := f.interrupted(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), nil)
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("it is told %v", err)
	}
}
