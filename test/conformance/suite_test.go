package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

const (
	pingInterval   = 300 * time.Millisecond
	pingTimeout    = time.Second
	connectTimeout = 3 * time.Second
	maxPayload     = 1000000

	// late is what a busy machine may add to a time that is measured from here.
	late = time.Second
)

// suite is a server and the revision that is spoken to it.
type suite struct {
	addr string
	path string
	eio  int
}

// check is one statement about the server.
type check struct {
	name string
	run  func(t *testing.T, s suite)
}

// serve gives the address of a server: the one that the environment names, or
// one of our own.
func serve(t *testing.T, env, app string, eio3 bool) string {
	t.Helper()
	if addr := os.Getenv(env); addr != "" {
		return addr
	}
	return target.Start(t, "--app", app, fmt.Sprintf("--eio3=%v", eio3),
		"--ping-interval", pingInterval.String(), "--ping-timeout", pingTimeout.String(),
		"--connect-timeout", connectTimeout.String(), "--max-payload", strconv.Itoa(maxPayload)).Addr
}

// run makes the checks one by one, and then four times at once.
func (s suite) run(t *testing.T, checks []check) {
	t.Run("alone", func(t *testing.T) {
		for _, c := range checks {
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
	})
	t.Run("four at once", func(t *testing.T) {
		for copy := range 4 {
			t.Run(strconv.Itoa(copy+1), func(t *testing.T) {
				t.Parallel()
				for _, c := range checks {
					t.Run(c.name, func(t *testing.T) { c.run(t, s) })
				}
			})
		}
	})
}

// query is the request target of a transport, with more of a query behind it.
func (s suite) query(transport, more string) string {
	return fmt.Sprintf("%s?EIO=%d&transport=%s%s", s.path, s.eio, transport, more)
}

// payload joins packets for a polling body; they are of ASCII here.
func (s suite) payload(packets ...string) string {
	if s.eio == 4 {
		return strings.Join(packets, "\x1e")
	}
	var b strings.Builder
	for _, p := range packets {
		b.WriteString(strconv.Itoa(len(p)) + ":" + p)
	}
	return b.String()
}

// polling is a session on the polling transport.
type polling struct {
	t   *testing.T
	s   suite
	sid string
	url string
}

// openPolling opens a session; more is added to the query of each request.
func (s suite) openPolling(t *testing.T, more string) polling {
	t.Helper()
	r := wire.Get(t, s.addr, s.query("polling", more))
	if r.Status != 200 {
		t.Fatalf("handshake answered %d %q", r.Status, r.Body)
	}
	sid := s.handshake(t, r.Body)["sid"].(string)
	return polling{t: t, s: s, sid: sid, url: s.query("polling", more+"&sid="+sid)}
}

// handshake takes the open packet out of the first body.
func (s suite) handshake(t *testing.T, body string) map[string]any {
	t.Helper()
	packet := body
	if s.eio == 3 {
		n, rest, _ := strings.Cut(body, ":")
		length, err := strconv.Atoi(n)
		if err != nil || length > len(rest) {
			t.Fatalf("not length-prefixed: %q", body)
		}
		packet = rest[:length]
	}
	return openPacket(t, packet)
}

func openPacket(t *testing.T, packet string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packet, "0")), &v); err != nil || packet[0] != '0' {
		t.Fatalf("no open packet: %q", packet)
	}
	if sid, _ := v["sid"].(string); len(sid) < 20 {
		t.Fatalf("the session id is too short to be secret: %q", packet)
	}
	return v
}

// poll is a GET that must bring exactly the given packets.
func (p polling) poll(packets ...string) {
	p.t.Helper()
	p.wants(wire.Get(p.t, p.s.addr, p.url), packets...)
}

func (p polling) wants(r wire.Response, packets ...string) {
	p.t.Helper()
	if want := p.s.payload(packets...); r.Status != 200 || r.Body != want {
		p.t.Fatalf("poll answered %d %q, want 200 %q", r.Status, r.Body, want)
	}
}

// post is a POST that must be taken.
func (p polling) post(packets ...string) {
	p.t.Helper()
	if r := wire.Post(p.t, p.s.addr, p.url, p.s.payload(packets...)); r.Status != 200 || r.Body != "ok" {
		p.t.Fatalf("POST answered %d %q, want 200 ok", r.Status, r.Body)
	}
}

// pending starts a GET and gives the server time to have it: it has answered
// two later requests when pending returns.
func (p polling) pending() *wire.Exchange {
	p.t.Helper()
	x := wire.Start(p.t, p.s.addr, wire.Request{Target: p.url})
	for range 2 {
		wire.Get(p.t, p.s.addr, p.s.query("none", ""))
	}
	return x
}

// gone checks that the session has ended.
func (p polling) gone() {
	p.t.Helper()
	if r := wire.Get(p.t, p.s.addr, p.url); r.Status != 400 {
		p.t.Fatalf("poll of an ended session answered %d %q, want 400", r.Status, r.Body)
	}
}

// upgrade opens a WebSocket for the session and probes it.
func (p polling) upgrade() *wire.WS {
	p.t.Helper()
	ws := wire.Dial(p.t, p.s.addr, p.s.query("websocket", "&sid="+p.sid))
	ws.Text("2probe")
	ws.Expect("3probe")
	return ws
}

// dial opens a session on the WebSocket transport and reads its open packet.
func (s suite) dial(t *testing.T) *wire.WS {
	t.Helper()
	ws := wire.Dial(t, s.addr, s.query("websocket", ""))
	ws.Pong = s.eio == 4
	openPacket(t, "0"+ws.ExpectPrefix("0"))
	return ws
}

// refused checks that a WebSocket is not opened: no 101, and status 400.
func (s suite) refused(t *testing.T, query string) {
	t.Helper()
	ws, r := wire.TryDial(t, s.addr, s.path+query)
	if ws != nil {
		t.Fatalf("%s: the WebSocket was opened", query)
	}
	if r.Status != 400 {
		t.Fatalf("%s: answered %d %q, want 400", query, r.Status, r.Body)
	}
}

// between fails unless the time lies in the bounds, the upper one stretched by
// what a busy machine may add.
func between(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most+late {
		t.Errorf("%s after %v, want between %v and %v", what, got.Round(time.Millisecond), least, most)
	}
}
