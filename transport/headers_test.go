package transport

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pick returns the headers of a response that are under test.
func pick(h http.Header, names ...string) map[string][]string {
	got := make(map[string][]string)
	for _, n := range names {
		if v := h[http.CanonicalHeaderKey(n)]; v != nil {
			got[n] = v
		}
	}
	return got
}

const (
	acao = "Access-Control-Allow-Origin"
	acac = "Access-Control-Allow-Credentials"
	acam = "Access-Control-Allow-Methods"
	acah = "Access-Control-Allow-Headers"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	type h = map[string][]string
	list := CORS{Origins: []string{"https://a.example", "https://*.b.example"}, Credentials: true}
	tests := []struct {
		name, origin string
		cors         CORS
		status       int
		want         h
	}{
		{"none, no origin", "", CORS{}, 200, h{}},
		{"none, same origin", "self", CORS{}, 200, h{}},
		{"none, same host and no scheme", "bare", CORS{}, 200, h{}},
		{"none, other", "https://a.example", CORS{}, 403, h{}},
		{"none, null", "null", CORS{}, 403, h{}},
		{"list, no origin", "", list, 200, h{"Vary": {"Origin"}}},
		{"list, exact", "https://a.example", list, 200, h{acao: {"https://a.example"}, acac: {"true"}, "Vary": {"Origin"}}},
		{"list, case", "HTTPS://A.example", list, 200, h{acao: {"HTTPS://A.example"}, acac: {"true"}, "Vary": {"Origin"}}},
		{"list, wildcard", "https://x.b.example", list, 200, h{acao: {"https://x.b.example"}, acac: {"true"}, "Vary": {"Origin"}}},
		{"list, scheme", "http://a.example", list, 403, h{"Vary": {"Origin"}}},
		{"list, suffix", "https://evilb.example", list, 403, h{"Vary": {"Origin"}}},
		{"any", "https://a.example", CORS{Origins: []string{"*"}}, 200, h{acao: {"*"}, "Vary": {"Origin"}}},
		{"any with credentials", "https://a.example", CORS{Origins: []string{"*"}, Credentials: true, InsecureAnyOrigin: true}, 200,
			h{acao: {"https://a.example"}, acac: {"true"}, "Vary": {"Origin"}}},
		{"function", "https://f.example", CORS{Func: func(o string, _ *http.Request) bool { return strings.HasSuffix(o, "f.example") }}, 200,
			h{acao: {"https://f.example"}, "Vary": {"Origin"}}},
		{"function refuses", "https://g.example", CORS{Func: func(o string, _ *http.Request) bool { return false }}, 403, h{"Vary": {"Origin"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{CORS: tt.cors})
			var header []string
			switch tt.origin {
			case "":
			case "self":
				header = []string{"Origin", "http://" + s.addr}
			case "bare":
				header = []string{"Origin", s.addr}
			default:
				header = []string{"Origin", tt.origin}
			}
			a := s.do("GET", "EIO=4&transport=polling", "", header...)
			if d := cmp.Diff(tt.want, pick(a.header, acao, acac, "Vary")); d != "" || a.status != tt.status {
				t.Errorf("polling: %d %s", a.status, d)
			}
			c := s.knock("EIO=4&transport=websocket", header...)
			want := map[int]int{200: 101, 403: 403}[tt.status]
			if d := cmp.Diff(tt.want, pick(c.accept.Header, acao, acac, "Vary")); d != "" || c.accept.StatusCode != want {
				t.Errorf("websocket: %d %s", c.accept.StatusCode, d)
			}
		})
	}
}

func TestCORSBehindAProxy(t *testing.T) {
	t.Parallel()
	forwarded := []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "public.example, inner"}
	try := func(s *server, origin string, status int, header ...string) {
		t.Helper()
		a := s.do("GET", "EIO=4&transport=polling", "", append(header, "Origin", origin)...)
		if a.status != status {
			t.Errorf("%s: %d, want %d", origin, a.status, status)
		}
	}
	proxy := netip.MustParsePrefix("127.0.0.0/8")
	s := start(t, Config{TrustedProxies: []netip.Prefix{proxy}, Cookie: &Cookie{}})
	try(s, "https://public.example", 200, forwarded...)
	if h := s.app.session(t).Handshake(); !h.Secure {
		t.Error("TLS up to the proxy is not secure")
	}
	if a := s.do("GET", "EIO=4&transport=polling", "", forwarded...); !contains(a.header.Get("Set-Cookie"), "; Secure") {
		t.Errorf("cookie %q", a.header.Get("Set-Cookie"))
	}
	try(s, "http://public.example", 403, forwarded...)
	try(s, "http://"+s.addr, 403, forwarded...)
	try(s, "http://"+s.addr, 200)
	try(s, "https://"+s.addr, 200, "X-Forwarded-Proto", "WSS")
	try(s, "http://"+s.addr, 200, "X-Forwarded-Proto", "ws")
	try(s, "http://"+s.addr, 200, "X-Forwarded-Proto", "gopher")
	// Nobody else is believed.
	s = start(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	try(s, "https://public.example", 403, forwarded...)
	try(s, "http://"+s.addr, 200, forwarded...)
	if h := s.app.session(t).Handshake(); h.Secure {
		t.Error("anybody can say that the connection is secure")
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	type h = map[string][]string
	names := []string{acao, acac, acam, acah, "Vary", "Content-Length", "X-Every"}
	tests := []struct {
		name string
		cors CORS
		from string
		want h
	}{
		{"echo", CORS{Origins: []string{"https://a.example"}, Credentials: true}, "https://a.example", h{
			acao: {"https://a.example"}, acac: {"true"}, acam: {"GET,POST"}, acah: {"x-one, x-two"},
			"Vary": {"Origin", "Access-Control-Request-Headers"}, "X-Every": {"1"},
		}},
		{"configured", CORS{Origins: []string{"*"}, Methods: []string{"GET"}, Headers: []string{"x-one", "x-three"}}, "https://a.example", h{
			acao: {"*"}, acam: {"GET"}, acah: {"x-one,x-three"}, "Vary": {"Origin"}, "X-Every": {"1"},
		}},
		{"not allowed", CORS{Origins: []string{"https://a.example"}}, "https://b.example", h{"Vary": {"Origin"}, "X-Every": {"1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{CORS: tt.cors, Headers: func(h http.Header, _ *http.Request) { h.Set("X-Every", "1") }})
			a := s.do("OPTIONS", "EIO=4&transport=polling", "", "Origin", tt.from, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-one, x-two")
			if d := cmp.Diff(tt.want, pick(a.header, names...)); d != "" || a.status != 204 || a.body != "" {
				t.Errorf("%d %s", a.status, d)
			}
		})
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Cookie: &Cookie{}})
	p := s.openPolling("EIO=4")
	sid := p.session().ID()
	a := s.do("GET", "EIO=4&transport=polling", "")
	if got := a.header["Set-Cookie"]; len(got) != 1 || got[0] != "io="+sidOf(t, a.body)+"; Path=/; HttpOnly; SameSite=Lax" {
		t.Errorf("%q", got)
	}
	if a := p.do("POST", p.query, "4a"); a.header["Set-Cookie"] != nil {
		t.Errorf("a later response sets %q", a.header["Set-Cookie"])
	}
	s = start(t, Config{Cookie: &Cookie{Name: "n", Path: "/p", Domain: "d.example", MaxAge: time.Minute, Secure: true, SameSite: http.SameSiteNoneMode}})
	a = s.do("GET", "EIO=4&transport=polling", "")
	if got := a.header.Get("Set-Cookie"); got != "n="+sidOf(t, a.body)+"; Path=/p; Domain=d.example; Max-Age=60; HttpOnly; Secure; SameSite=None" {
		t.Errorf("%q of %s", got, sid)
	}
}

func TestHeaderHooks(t *testing.T) {
	t.Parallel()
	s := start(t, Config{
		InitialHeaders: func(h http.Header, _ *http.Request) { h.Set("X-First", "1") },
		Headers:        func(h http.Header, r *http.Request) { h.Set("X-Every", r.Method) },
	})
	p := s.openPolling("EIO=4")
	x := p.session()
	x.Send(NewText([]byte("a")), 0, false)
	for _, tt := range []struct {
		a    answer
		want map[string][]string
	}{
		{s.do("GET", "EIO=4&transport=polling", ""), map[string][]string{"X-First": {"1"}, "X-Every": {"GET"}}},
		{p.poll(), map[string][]string{"X-Every": {"GET"}}},
		{p.do("POST", p.query, "4a"), map[string][]string{"X-Every": {"POST"}}},
		{s.do("GET", "EIO=4", ""), map[string][]string{"X-Every": {"GET"}}},
	} {
		if d := cmp.Diff(tt.want, pick(tt.a.header, "X-First", "X-Every")); d != "" {
			t.Error(d)
		}
	}
}

// Old Internet Explorers are told not to look for attacks.
func TestXSSProtection(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for agent, want := range map[string]string{"Mozilla/5.0 (compatible;MSIE 10.0)": "0", "Mozilla/5.0 Trident/7.0": "0", "curl": ""} {
		if a := s.do("GET", "EIO=4&transport=polling", "", "User-Agent", agent); a.header.Get("X-XSS-Protection") != want {
			t.Errorf("%s: %v", agent, a.header)
		}
	}
}
