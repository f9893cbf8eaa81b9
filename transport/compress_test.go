package transport

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
)

func TestCompression(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("socket ", 200)
	tests := []struct {
		name, accept, body, want string
		disabled, plain          bool
	}{
		{"gzip", "gzip", long, "gzip", false, false},
		{"deflate", "deflate", long, "deflate", false, false},
		{"client's order", "deflate, gzip", long, "deflate", false, false},
		{"client's order", "gzip, deflate, br", long, "gzip", false, false},
		{"weights", "gzip;q=0.5, deflate;q=0.8", long, "deflate", false, false},
		{"not wanted", "gzip;q=0", long, "", false, false},
		{"anything", "*", long, "gzip", false, false},
		{"unknown", "br", long, "", false, false},
		{"none", "", long, "", false, false},
		{"short", "gzip", "short", "", false, false},
		{"one below the threshold", "gzip", strings.Repeat("x", 1022), "", false, false},
		{"at the threshold", "gzip", strings.Repeat("x", 1023), "gzip", false, false},
		{"disabled", "gzip", long, "", true, false},
		{"the message asks not to", "gzip", long, "", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{Compression: Compression{Disabled: tt.disabled}})
			p := s.openPolling("EIO=4")
			m := NewText([]byte(tt.body))
			if tt.plain {
				m.DisableCompression()
			}
			p.session().Send(m, 0, false)
			var header []string
			if tt.accept != "" {
				header = []string{"Accept-Encoding", tt.accept}
			}
			a := p.do("GET", p.query, "", header...)
			if got := a.header.Get("Content-Encoding"); got != tt.want {
				t.Fatalf("%q", got)
			}
			if got := inflate(t, tt.want, a.body); got != "4"+tt.body {
				t.Errorf("%q", got)
			}
		})
	}
}

func inflate(t *testing.T, encoding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate": // HTTP's deflate is the zlib format
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The handshake's response holds the session id and is never compressed.
func TestHandshakeIsNotCompressed(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	s.app.onOpen = func(x *Session) error {
		x.Send(NewText([]byte(strings.Repeat("x", 5000))), 0, false)
		return nil
	}
	a := s.do("GET", "EIO=4&transport=polling", "", "Accept-Encoding", "gzip")
	if a.header.Get("Content-Encoding") != "" || len(a.body) < 5000 {
		t.Errorf("%v, %d bytes", a.header, len(a.body))
	}
}

func TestPerMessageDeflate(t *testing.T) {
	t.Parallel()
	s := start(t, Config{PerMessageDeflate: PerMessageDeflate{Enabled: true}, MaxPayload: 100_000})
	offer := []string{"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"}
	plain := s.dial("EIO=4&transport=websocket")
	plain.opens()
	a := s.app.session(t)
	c := s.dial("EIO=4&transport=websocket", offer...)
	if got := c.accept.Header.Get("Sec-WebSocket-Extensions"); got != "permessage-deflate; server_no_context_takeover; client_no_context_takeover" {
		t.Errorf("%q", got)
	}
	c.opens()
	b := s.app.session(t)
	old := s.dial("EIO=3&transport=websocket&b64=1", offer...)
	old.opens()
	d := s.app.session(t)

	// What the client sends may be compressed.
	z, err := wsframe.Deflate(nil, []byte("4"+strings.Repeat("hello ", 100)))
	if err != nil {
		t.Fatal(err)
	}
	f := frame(ws.OpText, string(z))
	f[0] |= 0x40
	c.write(f)
	c.expect("4" + strings.Repeat("hello ", 100))

	// One message for all: long ones are compressed for those who can, once.
	long, short := NewText([]byte(strings.Repeat("long ", 1000))), NewText([]byte("short"))
	for _, m := range []*Message{long, short} {
		for _, x := range []*Session{a, b, d} {
			x.shard.Post(Cast{Message: m, Solo: Recipient{Session: x}})
		}
		for _, w := range []*wsClient{plain, c, old} {
			w.expect("4" + string(m.Frames(0).Text))
		}
	}
	if z := long.first.wires[wireWS4Deflate].Load(); z == nil || len(*z) > 500 {
		t.Error("the long message was not compressed")
	}
	for w := wire(0); w < wireCount; w++ {
		if built := short.first.wires[w].Load() != nil; built != (w == wireWS4) {
			t.Errorf("short: form %d built: %v", w, built)
		}
		if built := long.first.wires[w].Load() != nil; built != (w == wireWS4 || w == wireWS4Deflate) {
			t.Errorf("long: form %d built: %v", w, built)
		}
	}
}
