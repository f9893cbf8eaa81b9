package transport

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
)

func TestWebSocketHandshake(t *testing.T) {
	t.Parallel()
	s := start(t, Config{
		Subprotocols:   []string{"chat"},
		InitialHeaders: func(h http.Header, _ *http.Request) { h.Set("X-First", "1"); h.Set("X-Bad", "a\nb") },
		Headers:        func(h http.Header, _ *http.Request) { h.Set("X-Every", "2") },
	})
	c := s.dial("EIO=4&transport=websocket&a=b", "Sec-WebSocket-Protocol", "other, chat", "X-Custom", "yes", "Sec-WebSocket-Extensions", "permessage-deflate")
	want := http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		"Sec-Websocket-Protocol": {"chat"}, "X-First": {"1"}, "X-Every": {"2"},
	}
	if d := cmp.Diff(want, c.accept.Header); d != "" {
		t.Error(d)
	}
	sid := c.opens()
	x := s.app.session(t)
	h := x.Handshake()
	if x.ID() != sid || x.Transport() != WebSocket || h.Query().Get("a") != "b" || h.Header().Get("X-Custom") != "yes" ||
		h.URL() != "/engine.io/?EIO=4&transport=websocket&a=b" || h.Header().Get("Sec-WebSocket-Key") != "" {
		t.Errorf("%+v %v", h, h.Header())
	}
	if ip := x.ClientIP(); ip.String() != "127.0.0.1" {
		t.Errorf("client %v", ip)
	}
	c.text("4hello")
	c.expect("4hello")
	c.send(ws.OpBinary, "\x01\x02")
	if m, err := c.next(); err != nil || m.Kind != wsframe.Binary || string(m.Data) != "\x01\x02" {
		t.Errorf("%v %q %v", m.Kind, m.Data, err)
	}
	// An upgraded session is not reached by polling.
	for m, body := range map[string]string{"GET": "", "POST": "4a"} {
		if a := s.do(m, "EIO=4&transport=polling&sid="+sid, body); a.status != 400 {
			t.Errorf("%s: %d", m, a.status)
		}
	}
}

// Frames that come in the same segment as the handshake are not lost.
func TestEarlyFrames(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	big := "4" + strings.Repeat("x", 6000) // more than the HTTP server has buffered
	c := s.knockAndSend(append(frame(ws.OpText, "4early"), frame(ws.OpText, big)...), "EIO=4&transport=websocket")
	c.opens()
	c.expect("4early")
	c.expect(big)
}

// Breaking a rule of RFC 6455 is answered with the code that it names.
func TestViolations(t *testing.T) {
	t.Parallel()
	unmasked := wsframe.AppendText(nil, []byte("4a"))
	fragment := frame(ws.OpText, "4a")
	fragment[0] &^= 0x80
	tests := map[string]struct {
		bytes []byte
		code  uint16
		label string
	}{
		"unmasked":         {unmasked, 1002, "bad_mask"},
		"opcode":           {frame(3, ""), 1002, "bad_opcode"},
		"text not UTF-8":   {frame(ws.OpText, "4\xff"), 1007, "bad_text"},
		"too big":          {frame(ws.OpText, "4"+strings.Repeat("a", 1000)), 1009, "too_big"},
		"close code":       {frame(ws.OpClose, "\x03\xee"), 1002, "bad_close_code"},
		"interleaved":      {append(bytes.Clone(fragment), frame(ws.OpText, "4b")...), 1002, "bad_interleave"},
		"claims too much":  {[]byte{0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1009, "too_big"},
		"claims the world": {[]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002, "bad_length"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{MaxPayload: 1000, CloseTimeout: time.Hour})
			c := s.dial("EIO=4&transport=websocket")
			c.opens()
			c.text("4a")
			c.expect("4a")
			c.write(tt.bytes)
			c.closes(tt.code)
			c.over()
			s.app.ends(t, ReasonTransportError)
			if d := cmp.Diff(map[string]uint64{tt.label: 1}, s.engine.Stats().Violations); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBadPacketsOnWebSocket(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query  string
		frame  []byte
		reason Reason
	}{
		"empty":                 {"EIO=4", frame(ws.OpText, ""), ReasonParseError},
		"letter":                {"EIO=4", frame(ws.OpText, "abc"), ReasonParseError},
		"digit":                 {"EIO=4", frame(ws.OpText, "7"), ReasonParseError},
		"ping of a client":      {"EIO=4", frame(ws.OpText, "2"), ReasonTransportError},
		"revision 3, no type":   {"EIO=3", frame(ws.OpBinary, ""), ReasonParseError},
		"revision 3, bad type":  {"EIO=3", frame(ws.OpBinary, "\x09"), ReasonParseError},
		"revision 3, bad digit": {"EIO=3", frame(ws.OpText, "b9AQ=="), ReasonParseError},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			c := s.dial(tt.query + "&transport=websocket")
			c.opens()
			c.write(tt.frame)
			c.closes(1005)
			s.app.ends(t, tt.reason)
		})
	}
}

// Pings in a row are answered by one pong, the latest; what they stand among is
// not held up.
func TestPingsAreCoalesced(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	var b []byte
	for i := range 100 {
		b = append(b, frame(ws.OpPing, string(rune('a'+i%26)))...)
	}
	b = append(b, frame(ws.OpText, "4between")...)
	b = append(b, frame(ws.OpPing, "last")...)
	c.write(b)
	var got []string
	for {
		m, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Kind.String()+" "+string(m.Data))
		if string(m.Data) == "last" {
			break
		}
	}
	// One segment may be read in pieces, so there may be some pongs more.
	if len(got) > 12 || got[len(got)-1] != "pong last" || !cmp.Equal(got[len(got)-3:], []string{"pong v", "text 4between", "pong last"}) {
		t.Errorf("%q", got)
	}
}

// A client that floods pings and reads nothing costs a bounded amount.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"EIO=4", "EIO=3"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{WriteTimeout: 100 * time.Millisecond})
			c := s.dial(query + "&transport=websocket")
			c.opens()
			x := s.app.session(t)
			flood := bytes.Repeat(append(frame(ws.OpPing, strings.Repeat("p", 125)), frame(ws.OpText, map[string]string{"EIO=3": "2", "EIO=4": "3"}[query])...), 100)
			// The server writes until its buffer and ours are full, then waits for
			// WriteTimeout and gives the client up.
			for {
				_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
				if _, err := c.conn.Write(flood); err != nil {
					break
				}
				x.mu.Lock()
				n := x.queue.len()
				if x.conn != nil {
					n += len(x.conn.out)
				}
				x.mu.Unlock()
				if n > 4096 {
					t.Fatalf("%d bytes wait", n)
				}
			}
			if r := s.app.end(t).r; r != ReasonTransportError && r != ReasonTransportClose {
				t.Errorf("%q", r)
			}
		})
	}
}

// A client that does not finish the close handshake is cut after CloseTimeout,
// or when it has sent too much.
func TestCloseHandshakeIsBounded(t *testing.T) {
	t.Parallel()
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{CloseTimeout: 50 * time.Millisecond})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		s.app.session(t).Close("")
		if m, err := c.next(); err != nil || m.Kind != wsframe.Close {
			t.Fatalf("%v %v", m.Kind, err)
		}
		c.over()
		eventually(t, "the session to be forgotten", func() bool { return s.engine.Len() == 0 })
	})
	t.Run("talkative", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{CloseTimeout: time.Hour})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		s.app.session(t).Close("")
		b := frame(ws.OpBinary, strings.Repeat("x", 60000))
		sent := 0
		for ; sent < 64<<20; sent += len(b) {
			_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
			if _, err := c.conn.Write(b); err != nil {
				break
			}
		}
		if sent >= 64<<20 {
			t.Error("the server reads on and on")
		}
		eventually(t, "the session to be forgotten", func() bool { return s.engine.Len() == 0 })
	})
	t.Run("in the middle of a message", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{CloseTimeout: 50 * time.Millisecond, ReadTimeout: time.Hour})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		x := s.app.session(t)
		c.write(frame(ws.OpText, "4hello")[:5])
		eventually(t, "half a message", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return x.conn.deadline })
		x.Close("")
		if m, err := c.next(); err != nil || m.Kind != wsframe.Close {
			t.Fatalf("%v %v", m.Kind, err)
		}
		c.write([]byte{1}) // the message's time is longer than that of the close
		c.over()
	})
	t.Run("half a message", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{ReadTimeout: 50 * time.Millisecond})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.write(frame(ws.OpText, "4hello")[:5])
		s.app.ends(t, ReasonTransportError)
	})
	t.Run("slow but steady", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{ReadTimeout: 2 * time.Second})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		for _, b := range frame(ws.OpText, "4hello") {
			c.write([]byte{b})
		}
		c.expect("4hello")
		s.app.session(t).SendFrames(protocol.Frames{Text: []byte("x")})
		c.expect("4x")
	})
}
