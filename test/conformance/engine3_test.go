package conformance

import (
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/wire"
)

func TestEngineIO3(t *testing.T) {
	t.Parallel()
	s := suite{addr: serve(t, "SIOD_CONFORMANCE_ENGINE3", "engine", true), path: "/engine.io/", eio: 3}
	s.run(t, append(engine3, engineEcho...))
}

// binaryEcho is a text "hello" and the bytes 1 2 3 4 in the binary form of a
// payload: kind, digits of the length, 255, body.
var binaryEcho = []byte{0, 6, 255, '4', 'h', 'e', 'l', 'l', 'o', 1, 5, 255, 4, 1, 2, 3, 4}

var engine3 = []check{
	{"handshake/polling opens a session", func(t *testing.T, s suite) {
		r := wire.Get(t, s.addr, s.query("polling", "&b64=1"))
		wantStatus(t, r, 200)
		open := s.handshake(t, r.Body)
		if _, ok := open["maxPayload"]; !ok {
			open["maxPayload"] = float64(maxPayload) // revision 3 does not need to say it
		}
		wantOpen(t, open, "websocket")
	}},
	{"handshake/polling refuses another transport", refusesTransport},
	{"handshake/polling refuses other methods", refusesMethods},
	{"handshake/websocket opens a session", func(t *testing.T, s suite) {
		ws := wire.Dial(t, s.addr, s.query("websocket", ""))
		ws.Pong = false
		open := openPacket(t, "0"+ws.ExpectPrefix("0"))
		if _, ok := open["maxPayload"]; !ok {
			open["maxPayload"] = float64(maxPayload)
		}
		wantOpen(t, open)
	}},
	{"handshake/websocket refuses another transport", func(t *testing.T, s suite) {
		s.refused(t, "?EIO=3")
		s.refused(t, "?EIO=3&transport=abc")
	}},
	{"message/polling echoes text and base64", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		p.post("4hello", "b4AQIDBA==")
		p.poll("4hello", "b4AQIDBA==")
	}},
	{"message/polling answers binary in the binary form", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		p.post("4hello", "b4AQIDBA==")
		r := wire.Get(t, s.addr, p.url)
		if r.Status != 200 || r.Body != string(binaryEcho) || r.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("answered %d, %s, % x", r.Status, r.Header.Get("Content-Type"), r.Body)
		}
	}},
	{"message/polling takes the binary form", func(t *testing.T, s suite) {
		p := s.openPolling(t, "")
		r := wire.Do(t, s.addr, wire.Request{Target: p.url, Header: []string{"Content-Type: application/octet-stream"}, Body: string(binaryEcho)})
		if r.Status != 200 || r.Body != "ok" {
			t.Fatalf("POST answered %d %q", r.Status, r.Body)
		}
		if r = wire.Get(t, s.addr, p.url); r.Body != string(binaryEcho) {
			t.Errorf("echoed % x", r.Body)
		}
	}},
	{"message/polling a second poll ends the session", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		p.secondPoll()
	}},
	{"message/websocket echoes binary", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Binary(4, 1, 2, 3, 4)
		ws.ExpectBinary(4, 1, 2, 3, 4)
	}},
	{"heartbeat/polling answers pings", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		for range 3 {
			p.post("2")
			p.poll("3")
		}
	}},
	{"heartbeat/polling ends a session without ping", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		<-time.After(pingInterval + pingTimeout) // here the time itself is under test
		if r := wire.Post(t, s.addr, p.url, s.payload("2")); r.Status != 400 {
			t.Errorf("POST answered %d %q, want 400", r.Status, r.Body)
		}
	}},
	{"heartbeat/polling ends the pending poll of a session without ping", func(t *testing.T, s suite) {
		start := time.Now()
		p := s.openPolling(t, "&b64=1")
		p.poll("1")
		between(t, "end", time.Since(start), pingInterval+pingTimeout-10*time.Millisecond, pingInterval+pingTimeout)
		p.gone()
	}},
	{"heartbeat/websocket answers pings", func(t *testing.T, s suite) {
		ws := s.dial(t)
		for range 3 {
			ws.Text("2")
			ws.Expect("3")
		}
	}},
	{"heartbeat/websocket a ping moves the end", func(t *testing.T, s suite) {
		ws := s.dial(t)
		<-time.After(pingInterval) // here the time itself is under test
		ws.Text("2")
		ws.Expect("3")
		start := time.Now()
		ws.Closed()
		between(t, "end", time.Since(start), pingInterval+pingTimeout-10*time.Millisecond, pingInterval+pingTimeout)
	}},
	{"heartbeat/websocket ends a session without ping", func(t *testing.T, s suite) {
		start := time.Now()
		ws := s.dial(t)
		ws.Closed()
		between(t, "end", time.Since(start), pingInterval+pingTimeout-10*time.Millisecond, pingInterval+pingTimeout)
	}},
	{"close/polling by the client", closesPolling},
	{"close/websocket by the client", closesWebSocket},
	{"upgrade/answers the pending poll with a noop", func(t *testing.T, s suite) {
		p := s.openPolling(t, "&b64=1")
		x := p.pending()
		ws := p.upgrade()
		p.wants(x.Response(), "6")
		ws.Text("5")
		ws.Text("4hello")
		ws.Expect("4hello")
	}},
}
