package conformance

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/wire"
)

func TestSocketIO5(t *testing.T) {
	t.Parallel()
	s := suite{addr: serve(t, "SIOD_CONFORMANCE_SOCKET5", "protocol", false), path: "/socket.io/", eio: 4}
	s.run(t, append(socket5, engine4...))
}

// connect joins a namespace: the packet to send, the prefix of the answer and
// the auth event that must follow as the very next frame.
func (s suite) connect(t *testing.T, ws *wire.WS, packet, prefix, auth string) {
	t.Helper()
	ws.Text(packet)
	var answer map[string]any
	if err := json.Unmarshal([]byte(ws.ExpectPrefix(prefix)), &answer); err != nil {
		t.Fatal(err)
	}
	if sid, ok := answer["sid"].(string); !ok || sid == "" || len(answer) != 1 {
		t.Fatalf("CONNECT answered %v, want exactly a sid", answer)
	}
	ws.Expect(auth)
}

// root is a WebSocket that has joined the main namespace.
func (s suite) root(t *testing.T) *wire.WS {
	t.Helper()
	ws := s.dial(t)
	s.connect(t, ws, "40", "40", `42["auth",{}]`)
	return ws
}

var socket5 = []check{
	{"connect/main namespace", func(t *testing.T, s suite) { s.root(t) }},
	{"connect/main namespace with a payload", func(t *testing.T, s suite) {
		s.connect(t, s.dial(t), `40{"token":"123"}`, "40", `42["auth",{"token":"123"}]`)
	}},
	{"connect/another namespace", func(t *testing.T, s suite) {
		s.connect(t, s.dial(t), "40/custom,", "40/custom,", `42/custom,["auth",{}]`)
	}},
	{"connect/another namespace with a payload", func(t *testing.T, s suite) {
		s.connect(t, s.dial(t), `40/custom,{"token":"abc"}`, "40/custom,", `42/custom,["auth",{"token":"abc"}]`)
	}},
	{"connect/unknown namespace is refused", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Text("40/random")
		ws.Expect(`44/random,{"message":"Invalid namespace"}`)
	}},
	{"connect/a bad first packet closes", func(t *testing.T, s suite) {
		ws := s.dial(t)
		ws.Text("4abc")
		ws.Closed()
	}},
	{"connect/silence closes", func(t *testing.T, s suite) {
		start := time.Now()
		ws := s.dial(t)
		for {
			f, err := ws.Read()
			if err != nil || f.Op == wire.OpClose {
				break
			}
			if string(f.Payload) != "2" {
				t.Fatalf("got %q", f.Payload)
			}
			if err := ws.TryFrame(wire.Frame{Op: wire.OpText, Payload: []byte("3")}); err != nil {
				break
			}
		}
		between(t, "end", time.Since(start), connectTimeout-10*time.Millisecond, connectTimeout)
	}},
	{"disconnect/main namespace gets no answer", func(t *testing.T, s suite) {
		ws := s.root(t)
		ws.Text("41")
		ws.Pong = false
		ws.Expect("2")
	}},
	{"disconnect/another namespace leaves the main one", func(t *testing.T, s suite) {
		ws := s.root(t)
		s.connect(t, ws, "40/custom,", "40/custom,", `42/custom,["auth",{}]`)
		ws.Text("41/custom,")
		ws.Text(`42["message","to the main namespace"]`)
		ws.Expect(`42["message-back","to the main namespace"]`)
	}},
	{"message/plain, byte for byte", func(t *testing.T, s suite) {
		ws := s.root(t)
		ws.Text(`42["message",1,"2",{"3":[true]}]`)
		ws.Expect(`42["message-back",1,"2",{"3":[true]}]`)
	}},
	{"message/two attachments", func(t *testing.T, s suite) {
		ws := s.root(t)
		s.sendTwo(t, ws, `452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
			`452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	}},
	{"message/with acknowledgement", func(t *testing.T, s suite) {
		ws := s.root(t)
		ws.Text(`42456["message-with-ack",1,"2",{"3":[false]}]`)
		ws.Expect(`43456[1,"2",{"3":[false]}]`)
	}},
	{"message/two attachments with acknowledgement", func(t *testing.T, s suite) {
		ws := s.root(t)
		s.sendTwo(t, ws, `452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
			`462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	}},
	{"message/an unknown packet type closes", func(t *testing.T, s suite) { s.closedBy(t, "4abc") }},
	{"message/a payload of the wrong kind closes", func(t *testing.T, s suite) { s.closedBy(t, "42{}") }},
	{"message/a bad acknowledgement id closes", func(t *testing.T, s suite) {
		s.closedBy(t, `42abc["message-with-ack",1,"2",{"3":[false]}]`)
	}},
}

// sendTwo sends a packet with two attachments and expects one with the same.
func (s suite) sendTwo(t *testing.T, ws *wire.WS, packet, want string) {
	t.Helper()
	first, second := []byte{1, 2, 3}, []byte{4, 5, 6}
	ws.Text(packet)
	ws.Binary(first...)
	ws.Binary(second...)
	ws.Expect(want)
	for _, b := range [][]byte{first, second} {
		if f := ws.Next(); f.Op != wire.OpBinary || !slices.Equal(f.Payload, b) {
			t.Errorf("attachment: opcode %d, % x, want % x", f.Op, f.Payload, b)
		}
	}
}

func (s suite) closedBy(t *testing.T, packet string) {
	t.Helper()
	ws := s.root(t)
	ws.Text(packet)
	if e := ws.Closed(); len(e.Before) > 0 {
		t.Errorf("%q was answered with %q before the end", packet, e.Before[0].Payload)
	}
}
