package forward

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/transport"
)

// Whatever a client asks for, the answer is the same at its home and at another
// node: status, body, and all headers.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.transport = transport.Config{
			MaxPayload: 1000, JSONP: true, Cookie: &transport.Cookie{},
			CORS:      transport.CORS{Origins: []string{"https://app.example"}, Credentials: true},
			Headers:   func(h http.Header, r *http.Request) { h.Add("X-Ours", r.Host); h.Add("X-Ours", r.URL.String()) },
			Principal: func(r *http.Request) string { return r.Header.Get("Authorization") },
		}
	})
	home, other := nodes[0], nodes[1]
	tests := map[string]struct {
		method, more string
		body         string
		header       []string
		status       int
	}{
		"post":                 {"POST", "", "4x", nil, 200},
		"poll":                 {"GET", "", "", nil, 200},
		"cross origin":         {"GET", "", "", []string{"Origin", "https://app.example"}, 200},
		"preflight":            {"OPTIONS", "", "", []string{"Origin", "https://app.example", "Access-Control-Request-Method", "POST"}, 204},
		"own origin":           {"GET", "", "", []string{"Origin", "https://node.example", "Host", "node.example", "X-Forwarded-Proto", "https"}, 403},
		"forbidden origin":     {"GET", "", "", []string{"Origin", "https://evil.example"}, 403},
		"another principal":    {"GET", "", "", []string{"Authorization", "Bearer x"}, 403},
		"another revision":     {"GET", "&EIO=3", "", nil, 400},
		"method":               {"DELETE", "", "", nil, 405},
		"too large":            {"POST", "", strings.Repeat("x", 1001), nil, 413},
		"compressed body":      {"POST", "", "4x", []string{"Content-Encoding", "gzip"}, 415},
		"not a payload":        {"POST", "", "no payload", nil, 400},
		"binary in revision 4": {"POST", "", "4x", []string{"Content-Type", "application/octet-stream"}, 400},
		"script":               {"GET", "&j=1", "", nil, 200},
		"old browser":          {"GET", "", "", []string{"User-Agent", "Mozilla/4.0 (compatible;MSIE 8.0)"}, 200},
		"no user agent":        {"GET", "", "", []string{"User-Agent", ""}, 200},
		"strange headers":      {"GET", "", "", []string{"X-Empty", "", "X_Under_Score", "1", "X-Long", strings.Repeat("y", 8000), "TE", "gzip", "Trailer", "X", "Cookie", "a=b", "Cookie", "c=d"}, 200},
		"strange query":        {"GET", "&a=%zz&b=%00&c;d=é&x=" + strings.Repeat("z", 4000), "", nil, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got [2]reply
			for i, n := range []*testNode{home, other} {
				header := tt.header
				if !strings.Contains(strings.Join(header, " "), "Host") {
					header = append([]string{"Host", "node.example"}, header...)
				}
				query := home.open("EIO=4")
				home.posts(query, "4in the queue")
				a := n.do(tt.method, query+tt.more, tt.body, header...)
				delete(a.header, "Date")
				sid := sidOfQuery(query)
				for k, vs := range a.header { // ids differ
					for j := range vs {
						a.header[k][j] = strings.ReplaceAll(vs[j], sid, "SID")
					}
				}
				got[i] = a
			}
			if got[0].status != tt.status {
				t.Errorf("at home: %d %s, want %d", got[0].status, got[0].body, tt.status)
			}
			if diff := cmp.Diff(got[0], got[1], cmp.AllowUnexported(reply{})); diff != "" {
				t.Errorf("home and other node differ:\n%s", diff)
			}
		})
	}
	if n := other.fwd.Stats().Sent[Forwarded]; n < 10 {
		t.Errorf("only %d were forwarded", n)
	}
}

// What the functions of the configuration see of a request.
type seen struct {
	Method, URL, URI, Proto, Host, Addr string
	TLS                                 bool
	Header                              http.Header
}

func see(r *http.Request) seen {
	h := r.Header.Clone()
	for k := range h {
		if ofConnection(k) {
			delete(h, k)
		}
	}
	return seen{r.Method, r.URL.String(), r.RequestURI, r.Proto, r.Host, r.RemoteAddr, r.TLS != nil, h}
}

// The home's functions see the request that the client made, to the other
// node's address and from the client's.
func TestSameRequest(t *testing.T) {
	t.Parallel()
	requests := make(chan seen, 10)
	nodes := cluster(t, 2, func(i int, o *options) {
		if i == 0 {
			o.transport.Headers = func(_ http.Header, r *http.Request) { requests <- see(r) }
		}
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	recv(t, requests, "the handshake")
	header := []string{
		"Host", "chat.example:8443", "X-Forwarded-For", "203.0.113.7, 198.51.100.1", "X-Forwarded-Proto", "https",
		"Authorization", "Bearer token", "Cookie", "a=b; c=d", "Accept-Encoding", "br", "X-Twice", "1", "X-Twice", "2", "Content-Type", "text/plain",
	}
	for _, header := range [][]string{header, {"Host", "chat.example"}} {
		home.posts(query, "4x", header...)
		want := recv(t, requests, "the request")
		other.posts(query, "4x", header...)
		got := recv(t, requests, "the request")
		if !strings.HasPrefix(got.Addr, "127.0.0.1:") || got.Addr == want.Addr {
			t.Errorf("from %s", got.Addr)
		}
		want.Addr = got.Addr
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a forwarded request differs:\n%s", diff)
		}
	}
	// So does the handshake of an upgrade.
	home.knock(nil, query).conn.Close()
	want := recv(t, requests, "the upgrade")
	other.knock(nil, query)
	got := recv(t, requests, "the upgrade")
	want.Addr, want.Host = got.Addr, other.addr
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a forwarded upgrade differs:\n%s", diff)
	}
}

// Trust in proxies is the home's: of its own configuration, and for the peers
// of the node that was asked.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, func(i int, o *options) {
		if i < 2 {
			o.transport.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
	})
	header := []string{"Host", "inner", "Origin", "https://chat.example", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "chat.example"}
	query := nodes[0].open("EIO=4")
	for i, n := range nodes[:2] {
		if a := n.do("POST", query, "4x", header...); a.status != 200 {
			t.Errorf("node %d: %d %s", i, a.status, a.body)
		}
	}
	query = nodes[2].open("EIO=4")
	if a := nodes[1].do("POST", query, "4x", header...); a.status != 403 {
		t.Errorf("at a home that trusts nobody: %d %s", a.status, a.body)
	}
}

// TLS on all listeners, with certificates of clients.
func TestTLS(t *testing.T) {
	t.Parallel()
	ts := httptest.NewTLSServer(http.NotFoundHandler())
	defer ts.Close()
	certs := ts.TLS.Certificates
	client := ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	states := make(chan *tls.ConnectionState, 10)
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.internal = &tls.Config{Certificates: certs, MinVersion: tls.VersionTLS12}
		o.forward.TLS = &tls.Config{RootCAs: client.RootCAs, MinVersion: tls.VersionTLS12}
		o.public = &tls.Config{Certificates: certs, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
		o.client = &tls.Config{RootCAs: client.RootCAs, Certificates: certs, ServerName: "example.com", MinVersion: tls.VersionTLS12}
		o.transport.Headers = func(_ http.Header, r *http.Request) { states <- r.TLS }
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	recv(t, states, "the handshake")
	other.posts(query, "4secure", "Origin", "https://"+other.addr)
	s := recv(t, states, "the request")
	if s == nil || s.ServerName != "example.com" || s.Version != tls.VersionTLS13 || !s.HandshakeComplete || s.CipherSuite == 0 {
		t.Errorf("the home sees TLS %+v", s)
	}
	if s != nil && (len(s.PeerCertificates) != 1 || !s.PeerCertificates[0].Equal(ts.Certificate()) || s.VerifiedChains != nil) {
		t.Errorf("the home sees certificates %v, verified %v", s.PeerCertificates, s.VerifiedChains)
	}
	other.polls(query, "4secure")
	c := other.upgrade(query)
	c.text("4" + strings.Repeat("through two kinds of TLS ", 10_000))
	c.expect("4" + strings.Repeat("through two kinds of TLS ", 10_000))
	c.conn.Close()
	home.ends(transport.ReasonTransportClose)

	// A home whose certificate is not trusted is not talked to.
	wary := cluster(t, 2, func(_ int, o *options) {
		o.internal = &tls.Config{Certificates: certs, MinVersion: tls.VersionTLS12}
		o.forward.TLS = &tls.Config{RootCAs: nil, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	})
	wary[1].refuses(wary[0].open("EIO=4"), 503, outOfReach)
	wary[1].sent(HomeDead, 2)
}

// Of headers that a middleware here has set the home's replace all but those
// that are lists.
func TestPassHeader(t *testing.T) {
	t.Parallel()
	got := http.Header{"Vary": {"Accept"}, "Set-Cookie": {"a=b"}, "Cache-Control": {"public"}, "X-Here": {"1"}}
	passHeader(got, http.Header{
		"Vary": {"Origin"}, "Set-Cookie": {"c=d"}, "Cache-Control": {"no-store"}, "Keep-Alive": {"5"}, "Connection": {"x"},
		headVersion: {version}, headClose: {"1"},
	})
	want := http.Header{"Vary": {"Accept", "Origin"}, "Set-Cookie": {"a=b", "c=d"}, "Cache-Control": {"no-store"}, "X-Here": {"1"}, "Connection": {"close"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
