package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/siod-io/siod/test/internal/wire"
)

func TestEngineIO4(t *testing.T) {
	t.Parallel()
	s := suite{addr: serve(t, "SIOD_CONFORMANCE_ENGINE4", "engine", false), path: "/engine.io/", eio: 4}
	s.run(t, append(append(engine4, engineEcho...), engine4Echo...))
}

// engine4 are the checks that hold whatever the session carries.
var engine4 = []check{
	{"handshake/polling opens a session", func(t *testing.T, s suite) {
		r := wire.Get(t, s.addr, s.query("polling", ""))
		if r.Status != 200 || !strings.EqualFold(r.Header.Get("Content-Type"), "text/plain; charset=UTF-8") {
			t.Fatalf("answered %d, %q", r.Status, r.Header.Get("Content-Type"))
		}
		wantOpen(t, s.handshake(t, r.Body), "websocket")
	}},
	{"handshake/polling refuses another EIO", func(t *testing.T, s suite) {
		for _, query := range []string{"?transport=polling", "?EIO=abc&transport=polling"} {
			wantStatus(t, wire.Get(t, s.addr, s.path+query), 400)
		}
	}},
	{"handshake/polling refuses another transport", refusesTransport},
	{"handshake/polling refuses other methods", refusesMethods},
	{"handshake/websocket opens a session", func(t *testing.T, s suite) {
		ws := wire.Dial(t, s.addr, s.query("websocket", ""))
		wantOpen(t, openPacket(t, "0"+ws.ExpectPrefix("0")))
	}},
	{"handshake/websocket refuses another EIO", func(t *testing.T, s suite) {
		s.refused(t, "?transport=websocket")
		s.refused(t, "?EIO=abc&transport=websocket")
	}},
	{"handshake/websocket refuses another transport", func(t *testing.T, s suite) {
		s.refused(t, "?EIO=4")
		s.refused(t, "?EIO=4&transport=abc")
	}},
	{"heartbeat/polling sends pings and takes pongs", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		for range 3 {
			p.poll("2")
			p.post("3")
		}
	}},
	{"heartbeat/polling ends a session that does not poll", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		<-time.After(pingInterval + pingTimeout) // here the time itself is under test
		p.gone()
	}},
	{"heartbeat/polling ends a session without pong", func(t *testing.T, s suite) {
		start := time.Now()
		p := s.openPolling(t, "")
		p.poll("2")
		between(t, "ping", time.Since(start), pingInterval*9/10, pingInterval)
		p.poll("1")
		between(t, "end", time.Since(start), pingInterval*9/10+pingTimeout, pingInterval+pingTimeout)
		p.gone()
	}},
	{"heartbeat/websocket sends pings and takes pongs", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Pong = false
		for range 3 {
			ws.Expect("2")
			ws.Text("3")
		}
	}},
	{"heartbeat/websocket ends a session without pong", func(t *testing.T, s suite) {
		start := time.Now()
		ws := s.dial(t)
		ws.Closed()
		between(t, "end", time.Since(start), pingInterval*9/10+pingTimeout, pingInterval+pingTimeout)
	}},
	{"close/polling by the client", closesPolling},
	{"close/websocket by the client", closesWebSocket},
	{"upgrade/answers the pending poll with a noop", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		x := p.pending()
		ws := p.upgrade()
		p.wants(x.Response(), "6")
		ws.Text("5")
	}},
	{"upgrade/polls of the session are refused", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		ws := p.upgrade()
		ws.Text("5")
		ws.Pong = false
		ws.Expect("2") // so the server has taken the upgrade
		p.gone()
		ws.Text("3")
		ws.Expect("2")
	}},
	{"upgrade/a second websocket is closed, the first lives", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		ws := p.upgrade()
		ws.Text("5")
		p.second()
		ws.Pong = false
		ws.Expect("2")
		ws.Text("3")
		ws.Expect("2")
	}},
}

// engine4Echo are checks of revision 4 that need the echo.
var engine4Echo = []check{
	{"message/polling echoes text and binary", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		p.post("4hello", "bAQIDBA==")
		p.poll("4hello", "bAQIDBA==")
	}},
	{"message/websocket echoes binary", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Binary(1, 2, 3, 4)
		ws.ExpectBinary(1, 2, 3, 4)
	}},
	{"message/polling a second poll ends the session", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		p.secondPoll()
	}},
}

// engineEcho are checks of both revisions that need the echo.
var engineEcho = []check{
	{"message/polling echoes a text", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		p.post("4hello")
		p.poll("4hello")
	}},
	{"message/polling echoes three texts", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		p.post("4test1", "4test2", "4test3")
		p.poll("4test1", "4test2", "4test3")
	}},
	{"message/polling a bad packet ends the session", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		if r := wire.Post(t, s.addr, p.url, "abc"); r.Status != 400 && (r.Status != 200 || r.Body != "ok") {
			t.Errorf("POST answered %d %q, want 400 or ok", r.Status, r.Body)
		}
		p.gone()
	}},
	{"message/websocket echoes a text", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Text("4hello")
		ws.Expect("4hello")
	}},
	{"message/websocket a bad packet ends the session", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Text("abc")
		ws.Closed()
	}},
	{"upgrade/carries messages on", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		ws := p.upgrade()
		p.poll("6")
		ws.Text("5")
		ws.Text("4hello")
		ws.Expect("4hello")
		p.gone()
		ws.Text("4again")
		ws.Expect("4again")
	}},
	{"upgrade/probe and upgrade in one segment", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		ws := wire.Dial(t, s.addr, s.query("websocket", "&sid="+p.sid))
		ws.Frame(wire.Frame{Op: wire.OpText, Payload: []byte("2probe")},
			wire.Frame{Op: wire.OpText, Payload: []byte("5")},
			wire.Frame{Op: wire.OpText, Payload: []byte("4hello")})
		ws.Expect("3probe")
		ws.Expect("4hello")
		p.gone()
	}},
	{"upgrade/a second websocket is closed, the first echoes", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		ws := p.upgrade()
		ws.Text("5")
		p.second()
		ws.Text("4hello")
		ws.Expect("4hello")
	}},
}

func refusesTransport(t *testing.T, s suite) {
	wantStatus(t, wire.Get(t, s.addr, strings.Split(s.query("", ""), "&")[0]), 400)
	wantStatus(t, wire.Get(t, s.addr, s.query("abc", "")), 400)
}

func refusesMethods(t *testing.T, s suite) {
	for _, method := range []string{"POST", "PUT"} {
		wantStatus(t, wire.Do(t, s.addr, wire.Request{Method: method, Target: s.query("polling", "")}), 400)
	}
}

func closesPolling(t *testing.T, s suite) {
	p := s.openPolling(t, "&b64=1")
	x := p.pending()
	p.post("1")
	p.wants(x.Response(), "6")
	p.gone()
}

func closesWebSocket(t *testing.T, s suite) {
	ws := s.dial(t)
	ws.Text("1")
	ws.Closed()
}

// second opens one more WebSocket for an upgraded session: it is refused, or
// closed without a packet.
func (p polling) second() {
	p.t.Helper()
	ws, r := wire.TryDial(p.t, p.s.addr, p.s.query("websocket", "&sid="+p.sid))
	if ws == nil {
		wantStatus(p.t, r, 400)
		return
	}
	if e := ws.Closed(); len(e.Before) > 0 {
		p.t.Errorf("the second WebSocket was told %q before its end", e.Before[0].Payload)
	}
}

// secondPoll polls while a poll is pending: the first gets a close packet, the
// second an error, and the session is over. Which is the first is the server's to
// say: they come on two connections.
func (p polling) secondPoll() {
	p.t.Helper()
	x := p.pending()
	second := wire.Get(p.t, p.s.addr, p.url)
	first := x.Response()
	if second.Status == 200 {
		first, second = second, first
	}
	if second.Status != 400 && second.Status != 500 {
		p.t.Errorf("the second poll answered %d %q, want 400 or 500", second.Status, second.Body)
	}
	p.wants(first, "1")
	p.gone()
}

func wantStatus(t *testing.T, r wire.Response, want int) {
	t.Helper()
	if r.Status != want {
		t.Errorf("answered %d %q, want %d", r.Status, r.Body, want)
	}
}

// wantOpen compares an open packet of revision 4, the session id left out.
func wantOpen(t *testing.T, got map[string]any, upgrades ...any) {
	t.Helper()
	want := map[string]any{
		"sid":          got["sid"],
		"upgrades":     append([]any{}, upgrades...),
		"pingInterval": float64(pingInterval.Milliseconds()),
		"pingTimeout":  float64(pingTimeout.Milliseconds()),
		"maxPayload":   float64(maxPayload),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("open packet (-want +got):\n%s", diff)
	}
}
