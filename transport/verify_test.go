package transport

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, query string
		header              []string
		status              int
		body, context       string
	}{
		{"no transport", "GET", "EIO=4", nil, 400, `{"code":0,"message":"Transport unknown"}`, "transport "},
		{"unknown transport", "GET", "EIO=4&transport=carrier", nil, 400, `{"code":0,"message":"Transport unknown"}`, "transport carrier"},
		{"property of objects", "GET", "EIO=4&transport=__proto__", nil, 400, `{"code":0,"message":"Transport unknown"}`, "transport __proto__"},
		{"unknown session", "GET", "EIO=4&transport=polling&sid=nobody", nil, 400, `{"code":1,"message":"Session ID unknown"}`, "no such session"},
		{"unknown session, POST", "POST", "EIO=4&transport=polling&sid=__proto__", nil, 400, `{"code":1,"message":"Session ID unknown"}`, "no such session"},
		{"unknown session, websocket", "GET", "EIO=4&transport=websocket&sid=nobody", nil, 400, `{"code":1,"message":"Session ID unknown"}`, "no such session"},
		{"POST handshake", "POST", "EIO=4&transport=polling", nil, 400, `{"code":2,"message":"Bad handshake method"}`, "POST"},
		{"websocket without upgrade", "GET", "EIO=4&transport=websocket", nil, 400, badRequest, "transport=websocket without an Upgrade header"},
		{"polling with upgrade", "GET", "EIO=4&transport=polling", []string{"Connection", "upgrade", "Upgrade", "websocket"}, 400, badRequest, "transport=polling with an Upgrade header"},
		{"old revision", "GET", "EIO=3&transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`, "EIO=3: a client of the 1.x or 2.x line, and DisableEIO3 is set"},
		{"no revision", "GET", "transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`, "EIO=: a client of the 1.x or 2.x line, and DisableEIO3 is set"},
		{"foreign origin", "GET", "EIO=4&transport=polling", []string{"Origin", "https://evil.example"}, 403, `{"code":4,"message":"Forbidden"}`, "origin https://evil.example is not allowed: see CORS.Origins, and TrustedProxies behind a proxy"},
		{"bytes in the origin", "GET", "EIO=4&transport=polling", []string{"Origin", "http://\u00e9"}, 400, badRequest, "characters in Origin"},
		{"refused", "GET", "EIO=4&transport=polling&no=1", nil, 403, `{"code":4,"message":"not \"you\""}`, "refused by Allow"},
		{"JSONP", "GET", "EIO=4&transport=polling&j=0", nil, 400, badRequest, "JSONP is not enabled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var told []*RequestError
			s := start(t, Config{
				DisableEIO3: true,
				OnRefused:   func(e *RequestError) { mu.Lock(); told = append(told, e); mu.Unlock() },
				Allow: func(r *http.Request) error {
					if r.URL.Query().Get("no") != "" {
						return errors.New(`not "you"`)
					}
					return nil
				},
			})
			a := s.do(tt.method, tt.query, "", tt.header...)
			if a.status != tt.status || a.body != tt.body || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s %v", a.status, a.body, a.header)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(told) != 1 || told[0].Context != tt.context || told[0].Request == nil || !strings.Contains(told[0].Error(), tt.context) {
				t.Errorf("OnRefused was told %v", told)
			}
			if len(s.app.opened) != 0 || s.engine.Len() != 0 {
				t.Error("a refused request opened a session")
			}
			if st := s.engine.Stats(); len(told) == 1 && st.Refused[told[0].Code] != 1 {
				t.Errorf("%v", st.Refused)
			}
		})
	}
}

func TestWebSocketRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	sid := p.session().ID()
	tests := map[string]struct {
		request string
		status  int
	}{
		"version":             {"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 426},
		"two versions":        {"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 426},
		"no key":              {"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13", 400},
		"short key":           {"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA", 400},
		"POST":                {"POST /engine.io/?EIO=4&transport=websocket&sid=" + sid + " HTTP/1.1\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400},
		"HTTP/1.0":            {"GET /engine.io/?EIO=4&transport=websocket HTTP/1.0\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400},
		"foreign origin":      {"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nOrigin: http://evil\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 403},
		"another revision":    {"GET /engine.io/?EIO=3&transport=websocket&sid=" + sid + " HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400},
		"outside of the path": {"GET /engine.iox/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 404},
	}
	for name, tt := range tests {
		resp := s.raw(tt.request + "\r\nHost: " + s.addr + "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
		if resp.StatusCode != tt.status || (tt.status == 426) != (resp.Header.Get("Sec-WebSocket-Version") == "13") {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	p.posts("4a")
	p.polls("4a")
}

// A later request must be of the revision and the principal of the handshake.
func TestRequestsMustMatchTheirSession(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Principal: func(r *http.Request) string { return r.Header.Get("X-User") }})
	a := s.do("GET", "EIO=4&transport=polling", "", "X-User", "ann")
	q := "transport=polling&sid=" + sidOf(t, a.body)
	x := s.app.session(t)
	if x.Handshake().Principal != "ann" {
		t.Errorf("%q", x.Handshake().Principal)
	}
	for _, tt := range []struct {
		query, user string
		status      int
	}{
		{"EIO=4&", "bob", 403}, {"EIO=4&", "", 403}, {"EIO=3&", "ann", 400}, {"", "ann", 400}, {"EIO=4&", "ann", 200},
	} {
		if a := s.do("POST", tt.query+q, "4a", "X-User", tt.user); a.status != tt.status {
			t.Errorf("%+v: %d %s", tt, a.status, a.body)
		}
	}
}

func TestPathIsAPrefix(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for path, status := range map[string]int{"/engine.io/": 200, "/engine.io/more": 200, "/engine.io": 404, "/engine.iox/": 404, "/": 404} {
		resp, err := s.http.Get("http://" + s.addr + path + "?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

func TestTransportsDisabled(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Transports: []string{Polling}})
	p := s.openPolling("EIO=4")
	if !contains(p.open, `"upgrades":[]`) {
		t.Error(p.open)
	}
	if c := s.knock("EIO=4&transport=websocket"); c.accept.StatusCode != 400 {
		t.Errorf("%d", c.accept.StatusCode)
	}
	s = start(t, Config{Transports: []string{WebSocket}})
	if a := s.do("GET", "EIO=4&transport=polling", ""); a.status != 400 {
		t.Errorf("%d", a.status)
	}
	s.dial("EIO=4&transport=websocket").opens()
}

func TestQuery(t *testing.T) {
	t.Parallel()
	tests := map[string]query{
		"":                            {},
		"EIO=4&transport=polling":     {eio: "4", transport: "polling"},
		"EIO=3&EIO=4":                 {eio: "4"},
		"sid=a%2Bb&sid=c%zz":          {sid: "c%zz"},
		"sid=a%2Bb":                   {sid: "a+b"},
		"j=1<script>2":                {jsonp: "12"},
		"b64=1":                       {base64: true},
		"b64=true&x=b64":              {base64: true},
		"b64=0":                       {},
		"b64":                         {},
		"&&=&;=x&transport&transport": {},
		"t=1234567890":                {many: true},
		"t=":                          {},
	}
	for raw, want := range tests {
		if got := parseQuery(raw); got != want {
			t.Errorf("%q: %+v, want %+v", raw, got, want)
		}
	}
	if a, b := parseQuery("t=Q84h1ly").stamp, parseQuery("t=Q84h1lz").stamp; a == 0 || b == 0 || a == b {
		t.Errorf("stamps %x %x", a, b)
	}
}

func TestClientIP(t *testing.T) {
	t.Parallel()
	e := &Engine{cfg: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	tests := []struct {
		remote string
		hops   []string
		want   string
	}{
		{"1.2.3.4:5", nil, "1.2.3.4"},
		{"1.2.3.4:5", []string{"9.9.9.9"}, "1.2.3.4"},
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"10.0.0.1:5", []string{"9.9.9.9"}, "9.9.9.9"},
		{"10.0.0.1:5", []string{"6.6.6.6, 9.9.9.9 , 10.1.1.1"}, "9.9.9.9"},
		{"10.0.0.1:5", []string{"6.6.6.6", "9.9.9.9", "10.1.1.1,10.2.2.2"}, "9.9.9.9"},
		{"10.0.0.1:5", []string{"10.3.3.3"}, "10.3.3.3"},
		{"10.0.0.1:5", []string{"9.9.9.9, junk"}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"9.9.9.9,"}, "10.0.0.1"},
		{"10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"[fd00::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5", []string{"::ffff:9.9.9.9"}, "9.9.9.9"},
		{"@", nil, "invalid IP"},
	}
	for _, tt := range tests {
		if got := e.clientIP(tt.remote, tt.hops).String(); got != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.remote, tt.hops, got, tt.want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Path: "x", PingInterval: -1, MaxPayload: -1, Transports: []string{"smoke"},
		Events: EventLimit{Burst: 1}, Handshakes: RateLimit{PerSecond: -1},
		Queue: Queue{Policy: "pray"}, CORS: CORS{Origins: []string{"*", "example.com", "http://a/["}, Credentials: true},
	}, newApp())
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`transport: CORS.Origins "*" with Credentials lets every site act as its visitors: list the origins, or set InsecureAnyOrigin`,
		`transport: CORS.Origins: "example.com" is not an origin such as https://example.com`,
		`transport: CORS.Origins: "http://a/[" is not an origin such as https://example.com`,
		`transport: Events: a burst without a rate limits nothing`,
		`transport: Handshakes: must not be negative`,
		`transport: MaxPayload, MaxSessions, Shards and the bounds of Queue and Inbox must not be negative`,
		`transport: Path "x" must begin and end with a slash`,
		`transport: PingInterval -1ns must not be negative`,
		`transport: Queue.Policy: "pray" is neither "disconnect" nor "drop-oldest"`,
		`transport: Transports: "smoke" is neither "polling" nor "websocket"`,
	}
	got := strings.Split(err.Error(), "\n")
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := New(Config{Transports: []string{}}, newApp()); err == nil {
		t.Error("no transports, no error")
	}
}
