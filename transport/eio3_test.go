package transport

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
)

func TestEIO3Handshake(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	s.app.onOpen = func(x *Session) error {
		x.SendFrames(protocol.Frames{Text: []byte("0")}) // the root namespace's CONNECT
		return nil
	}
	for _, query := range []string{"EIO=3", "EIO=2", "x=1"} {
		p := s.openPolling(query)
		sid := p.session().ID()
		open := `0{"sid":"` + sid + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
		if want := strconv.Itoa(len(open)) + ":" + open + "2:40"; p.open != want {
			t.Errorf("%s: %s", query, p.open)
		}
	}
}

// Length-prefixed text, counted in UTF-16 units, with binary in base64 or, if the
// client takes it, in the binary form.
func TestEIO3Payloads(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query, post, contentType, want, wantType string
	}{
		{"text", "EIO=3", "6:4hello2:4€4:4😀x", "text/plain", "6:4hello2:4€4:4😀x", typeText},
		{"base64 in", "EIO=3&b64=1", "10:b4AQIDBA==2:4a", "text/plain", "10:b4AQIDBA==2:4a", typeText},
		{"binary out", "EIO=3", "10:b4AQIDBA==6:4hello", "text/plain", "\x01\x05\xff\x04\x01\x02\x03\x04\x00\x06\xff4hello", typeBinary},
		{"binary in", "EIO=3", "\x00\x04\xff4\xe2\x82\xac\x01\x03\xff\x04\x01\x02", typeBinary, "\x00\x04\xff4\xe2\x82\xac\x01\x03\xff\x04\x01\x02", typeBinary},
		{"binary in, base64 out", "EIO=3&b64=1", "\x01\x03\xff\x04\x01\x02", typeBinary, "6:b4AQI=", typeText},
		{"ping and message", "EIO=3", "1:22:4a", "text/plain", "1:32:4a", typeText},
		{"two pings, one pong", "EIO=3", "1:21:2", "text/plain", "1:3", typeText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			p := s.openPolling(tt.query)
			p.posts(tt.post, "Content-Type", tt.contentType)
			a := p.poll()
			if a.body != tt.want || a.header.Get("Content-Type") != tt.wantType {
				t.Errorf("%q %v", a.body, a.header)
			}
		})
	}
}

// Clients of the 1.x line encode text as UTF-8 twice; packets of Socket.IO are
// sent so that both lines read them alike.
func TestEIO3DoubleUTF8(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	got := make(chan string, 1)
	s.app.onText = func(x *Session, d []byte) {
		got <- string(d)
		x.Send(NewMessage(protocol.Frames{Text: []byte(string(d))}, nil), 0, false)
	}
	const packet = `2/é,["echo","ünï😀"]`
	for name, body := range map[string]string{"2.x": "21:4" + packet, "1.x": doubled("4" + packet)} {
		p := s.openPolling("EIO=3")
		p.posts(body)
		if m := recv(t, got, "the message"); m != packet {
			t.Errorf("%s: %q", name, m)
		}
		want := `4` + `2/é,["echo","\u00fcn\u00ef\ud83d\ude00"]`
		p.polls(strconv.Itoa(len(want)-1) + ":" + want) // é is one unit of two bytes
	}
}

// doubled is a packet as the 1.x line posts it: its bytes as characters.
func doubled(packet string) string {
	var b strings.Builder
	for i := range len(packet) {
		b.WriteRune(rune(packet[i]))
	}
	return strconv.Itoa(len(packet)) + ":" + b.String()
}

func TestEIO3WebSocket(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := s.dial("EIO=3&transport=websocket")
	c.opens()
	c.text("2")
	c.expect("3")
	c.text("2probe") // of a client that has upgraded
	c.expect("3")
	c.text("3") // a stray pong
	c.text("4€")
	c.expect("4€")
	c.send(ws.OpBinary, "\x04\x01\x02")
	if m, err := c.next(); err != nil || m.Kind != wsframe.Binary || string(m.Data) != "\x04\x01\x02" {
		t.Errorf("%v %q %v", m.Kind, m.Data, err)
	}
	c.text("b4AQI=") // 1.3.5 may send this although it takes binary frames
	if m, err := c.next(); err != nil || m.Kind != wsframe.Binary || string(m.Data) != "\x04\x01\x02" {
		t.Errorf("%v %q %v", m.Kind, m.Data, err)
	}
	b64 := s.dial("EIO=3&transport=websocket&b64=1")
	b64.opens()
	b64.send(ws.OpBinary, "\x04\x01\x02")
	b64.expect("b4AQI=")
}

// Whether a WebSocket takes binary frames is its own request's affair, not the
// handshake's.
func TestEIO3UpgradeHasItsOwnB64(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=3&b64=1")
	c := s.dial("EIO=3&transport=websocket&sid=" + p.session().ID())
	c.text("2probe")
	c.expect("3probe")
	c.text("5")
	c.send(ws.OpBinary, "\x04\x01")
	if m, err := c.next(); err != nil || m.Kind != wsframe.Binary || string(m.Data) != "\x04\x01" {
		t.Errorf("%v %q %v", m.Kind, m.Data, err)
	}
}

func TestJSONP(t *testing.T) {
	t.Parallel()
	for _, rev := range []string{"3", "4"} {
		t.Run("revision "+rev, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{JSONP: true})
			p := s.openPolling("EIO=" + rev + "&j=3<script>")
			if !strings.HasPrefix(p.open, `___eio[3]("`) || !strings.HasSuffix(p.open, `");`) {
				t.Fatal(p.open)
			}
			post := func(packets ...string) string {
				var all string
				for i, m := range packets {
					if rev == "3" {
						all += strconv.Itoa(len(m)) + ":" + m
					} else if all += m; i < len(packets)-1 {
						all += "\x1e"
					}
				}
				return all
			}
			binary := map[string]string{"3": "b4AQI=", "4": "bAQI="}[rev]
			// A newline is sent as \n, and a \n that was there as \\n.
			body := strings.NewReplacer("\n", `\n`).Replace(strings.ReplaceAll(post("4a\nb", binary), `\n`, `\\n`))
			p.posts("d="+url.QueryEscape(body), "Content-Type", "application/x-www-form-urlencoded")
			a := p.do("GET", strings.Replace(p.query, "j=3", "j=7", 1), "")
			literal := strings.NewReplacer("\n", `\n`, "\x1e", `\u001e`).Replace(post("4a\nb", binary))
			if want := `___eio[7]("` + literal + `");`; a.body != want {
				t.Errorf("%s, want %s", a.body, want)
			}
			if a.header.Get("Content-Type") != typeScript || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%v", a.header)
			}
			if a := p.do("POST", p.query, "e=1", "Content-Type", "application/x-www-form-urlencoded"); a.status != 400 {
				t.Errorf("%d", a.status)
			}
			s.app.ends(t, ReasonParseError)
		})
	}
}

// A session that did not begin by JSONP is never answered with a script.
func TestJSONPOfAnotherSession(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	p.posts("4a")
	a := p.do("GET", p.query+"&j=0", "")
	if a.body != "4a" || a.header.Get("Content-Type") != typeText {
		t.Errorf("%q %v", a.body, a.header)
	}
}
