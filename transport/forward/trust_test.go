package forward

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/transport"
)

// Nodes with different secrets do not serve each other.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(i int, o *options) { o.forward.Secrets = []string{secret + string(rune('a'+i))} })
	query := nodes[0].open("EIO=4")
	nodes[1].refuses(query, 503, outOfReach)
	nodes[1].sent(RefusedSecret, 2)
	if got := nodes[0].fwd.Stats().Served; got[RefusedSecret] != 2 || got[Forwarded] != 0 {
		t.Errorf("the home counts %v", got)
	}
}

// While a secret is replaced, nodes with the old and the new one understand
// each other.
func TestRotation(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, func(i int, o *options) {
		o.forward.Secrets = [][]string{{"old", "new"}, {"new", "old"}, {"new"}}[i]
	})
	for _, pair := range [][2]int{{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 0}} {
		home, other := nodes[pair[0]], nodes[pair[1]]
		query := home.open("EIO=4")
		a := other.do("POST", query, "4x")
		if wrong := pair == [2]int{2, 0}; wrong != (a.status == 503) || !wrong && a.status != 200 {
			t.Errorf("node %d for %d: %d %s", pair[1], pair[0], a.status, a.body)
		}
	}
}

// Without a pass, or with one for another node, the internal listener does
// nothing for anybody.
func TestNoPass(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	good := func() http.Header {
		h := make(http.Header)
		h.Set(headVersion, version)
		h.Set(headTo, home.fwd.self)
		h.Set(headPass, other.fwd.keys.pass(home.fwd.self))
		h.Set(headURI, "/engine.io/?"+query)
		h.Set(headHost, "a")
		h.Set(headClient, "192.0.2.1:1")
		h.Set(headProto, "HTTP/1.1")
		return h
	}
	set := func(kv ...string) func(http.Header) {
		return func(h http.Header) {
			for i := 0; i < len(kv); i += 2 {
				h.Set(kv[i], kv[i+1])
			}
		}
	}
	for name, tt := range map[string]struct {
		method string
		change func(http.Header)
		status int
		result Result
	}{
		"none":            {"POST", set(headPass, ""), 401, RefusedSecret},
		"wrong":           {"POST", set(headPass, "wrong"), 401, RefusedSecret},
		"as bearer":       {"POST", func(h http.Header) { h.Set("Authorization", "Bearer "+h.Get(headPass)); h.Del(headPass) }, 401, RefusedSecret},
		"for another":     {"POST", set(headPass, other.fwd.keys.pass(other.fwd.self)), 401, RefusedSecret},
		"to another":      {"POST", set(headPass, other.fwd.keys.pass("boot"), headTo, "boot"), 421, HomeUnknown},
		"secret itself":   {"POST", set(headPass, secret), 401, RefusedSecret},
		"unknown version": {"POST", set(headVersion, "2"), 501, RefusedRequest},
		"method":          {"DELETE", set(), 405, RefusedRequest},
		"no URI":          {"POST", func(h http.Header) { h.Del(headURI) }, 400, RefusedRequest},
		"no protocol":     {"POST", set(headProto, "SPDY"), 400, RefusedRequest},
		"TLS":             {"POST", set(headTLS, "version=x"), 400, RefusedRequest},
		"certificate":     {"POST", set(headTLS, "version=772&cipher=4865", headCert, "AAAA"), 400, RefusedRequest},
	} {
		before := home.fwd.Stats().Served[tt.result]
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+home.member.Self().Addr+Path, strings.NewReader("4x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = good()
		tt.change(req.Header)
		resp, err := home.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get(headVersion) != "" {
			t.Errorf("%s: %s %v", name, resp.Status, resp.Header)
		}
		if got := home.fwd.Stats().Served[tt.result]; got != before+1 {
			t.Errorf("%s: %s counts %d more", name, tt.result, got-before)
		}
	}
	if got := home.fwd.Stats().Served[Forwarded]; got != 0 || len(home.app.texts) != 0 {
		t.Errorf("%d of these were served", got)
	}
	// What they were made of is right.
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+home.member.Self().Addr+Path, strings.NewReader("4x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = good()
	resp, err := home.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("a good one: %s", resp.Status)
	}
}

// A node that has the address of one that is gone says so: the session is.
func TestAnotherBoot(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 1, nil)
	group := static.NewGroup()
	old := joined(t, group, nodes[0].member.Self().Addr)
	n := startNode(t, group, "b", options{forward: Config{Secrets: []string{secret}}})
	n.refuses("EIO=4&transport=polling&sid="+old+"aaaaaaaaaaaaaaaaaaaa", 400, sessionUnknown)
	n.sent(HomeUnknown, 2)
	if got := nodes[0].fwd.Stats().Served; got[HomeUnknown] != 2 || got[RefusedSecret] != 0 {
		t.Errorf("the home counts %v", got)
	}
}

// Two nodes that each take the other for a session's home.
func TestHopLimit(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(i int, o *options) {
		o.token = "tokens"[:5] + string(rune('a'+i)) // what the members say
		o.transport.Token = "engine"                 // what the engines believe
	})
	for i, token := range []string{"tokena", "tokenb"} {
		// The other engine takes no token for its own, so it asks its forwarder.
		n := nodes[1-i]
		n.refuses("EIO=4&transport=polling&sid="+token+"aaaaaaaaaaaaaaaaaaaa", 400, sessionUnknown)
		if got := nodes[i].fwd.Stats(); got.Served[Forwarded] != 2 || got.Sent[HopLimit] != 2 {
			t.Errorf("%+v", got)
		}
		n.sent(Forwarded, 2)
	}
}

// Our headers mean nothing when a client sends them.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 10)
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.transport.Headers = func(h http.Header, r *http.Request) { seen <- r }
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	recv(t, seen, "the handshake")
	spoof := []string{
		headClient, "203.0.113.9:1", headHost, "evil.example", headURI, "/engine.io/?EIO=4&transport=polling", headProto, "HTTP/1.0",
		headTLS, "version=772&cipher=4865", headPass, "x", headTo, "x", headVersion, "9", headClose, "1", "Siod-Forward-Later", "x",
		"Connection", "close, " + headHost,
	}
	for _, n := range nodes {
		a := n.do("POST", query, "4x", spoof...)
		if a.status != 200 {
			t.Fatalf("at %s: %d %s", n.name, a.status, a.body)
		}
		r := recv(t, seen, "the request")
		if !strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") || r.Host != n.addr || r.TLS != nil || r.Proto != "HTTP/1.1" {
			t.Errorf("at %s: the engine sees %s %s %v %s", n.name, r.RemoteAddr, r.Host, r.TLS, r.Proto)
		}
		if n == other {
			for k := range r.Header {
				if ours(k) {
					t.Errorf("%s has passed", k)
				}
			}
		}
	}
	// The clients' listener is no way in.
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+home.addr+Path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(headPass, other.fwd.keys.pass(home.fwd.self))
	resp, err := home.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("%s", resp.Status)
	}
}

// A home is where the membership says, whatever a session id looks like.
func TestOnlyMembersAreAsked(t *testing.T) {
	t.Parallel()
	n := cluster(t, 1, nil)[0]
	for _, sid := range []string{"127.0.0.1:1/", "localhost:80", "%31%36%39.254.169.254", "../../etc/passwd", strings.Repeat("x", 10_000), "a%0d%0ab%00cdef"} {
		if a := n.do("GET", "EIO=4&transport=polling&sid="+sid, ""); a.status != 400 || a.body != sessionUnknown {
			t.Errorf("%.30q: %d %s", sid, a.status, a.body)
		}
	}
	if got := n.fwd.Stats().Sent; got[HomeUnknown] != 6 {
		t.Errorf("%v", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	self, err := static.New(membership.Member{})
	if err != nil {
		t.Fatal(err)
	}
	good := Config{Membership: self, Secrets: []string{secret}}
	for want, change := range map[string]func(*Config){
		"Membership is nil":    func(c *Config) { c.Membership = nil },
		"Secrets is empty":     func(c *Config) { c.Secrets = nil },
		"Secrets[1] is empty":  func(c *Config) { c.Secrets = []string{"a", ""} },
		"must not be negative": func(c *Config) { c.DialTimeout = -1 },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	var _ transport.Forwarder = f
}

// What a node says of a request to another one is read by nodes of other
// releases: it is these headers, and this pass.
func TestHeadersGolden(t *testing.T) {
	t.Parallel()
	const home, pass = "e2a8b8wiffgeqtxfi5gfi3", "VLqAxaDz28aaVM-Lbs_R9kxIUV-ti_Z5OyLlbOChQTw"
	k, err := newKeyring([]string{"a secret of the tests"}, home)
	if err != nil {
		t.Fatal(err)
	}
	if !k.ok(pass) {
		t.Error("the pass is not accepted")
	}
	r := httptest.NewRequest("POST", "http://example.com/socket.io/?EIO=4&sid=x", nil)
	r.Header = http.Header{"Cookie": {"a=b"}, "Siod-Forward-To": {"of the client"}}
	want := http.Header{
		"Cookie": {"a=b"}, "Siod-Forward": {"1"}, "Siod-Forward-To": {home}, "Siod-Forward-Pass": {pass},
		"Siod-Forward-Client": {"192.0.2.1:1234"}, "Siod-Forward-Host": {"example.com"},
		"Siod-Forward-Uri": {"/socket.io/?EIO=4&sid=x"}, "Siod-Forward-Proto": {"HTTP/1.1"}, "User-Agent": nil,
	}
	if diff := cmp.Diff(want, (&Forwarder{keys: k}).outgoing(r, home)); diff != "" {
		t.Error("-want +got:\n" + diff)
	}
}
