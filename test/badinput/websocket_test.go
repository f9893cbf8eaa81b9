package badinput

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Rows 22 to 33: frames.
func TestFrames(t *testing.T) {
	t.Parallel()
	g := serve(t, readTimeout, "1s", closeTimeout, "1s")

	// cut splits a message into frames of at most n bytes.
	cut := func(s string, n int) []wire.Frame {
		var frames []wire.Frame
		for op := byte(wire.OpText); len(s) > 0; op = wire.OpContinuation {
			k := min(n, len(s))
			frames = append(frames, wire.Frame{Op: op, NotFin: k < len(s), Payload: []byte(s[:k])})
			s = s[k:]
		}
		return frames
	}
	empty := func(n int) []wire.Frame {
		frames := []wire.Frame{{Op: wire.OpText, NotFin: true, Payload: []byte(`421["echo"`)}}
		for range n {
			frames = append(frames, wire.Frame{Op: wire.OpContinuation, NotFin: true})
		}
		return append(frames, wire.Frame{Op: wire.OpContinuation, Payload: []byte(`,1]`)})
	}

	g.row("row 22 a message in tiny fragments", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		ws.Frame(cut(`421["echo","`+strings.Repeat("x", 1000-14)+`"]`, 1)...)
		if f := ws.Next(); !strings.HasPrefix(string(f.Payload), `431["xxx`) {
			t.Errorf("1,000 fragments of a byte: %.40q", f.Payload)
		}
		ends(t, s.Addr, []int{1008}, cut(strings.Repeat("4", 1025), 1)...)
		grows(t, s, 24<<20, func() {
			ends(t, s.Addr, []int{1008}, cut(strings.Repeat("4", 200000), 1)...)
		})
	})
	g.row("row 22 empty fragments", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		ws.Frame(empty(16)...)
		ws.Expect("431[1]")
		ends(t, s.Addr, []int{1008}, empty(17)...)
	})
	g.row("row 23 pings whose pongs nobody reads", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		var flood []byte
		for range 1000 {
			flood = wire.Frame{Op: wire.OpPing, Payload: fill(125, 'p')}.Append(flood)
		}
		grows(t, s, 16<<20, func() {
			_ = ws.Conn().SetWriteDeadline(time.Now().Add(2 * time.Second))
			for range 400 {
				if _, err := ws.Conn().Write(flood); err != nil {
					break // the server stopped reading, or ended the session
				}
			}
		})
	})
	g.row("row 23 a ping is answered with its own payload", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		ws.Frame(wire.Frame{Op: wire.OpPing, Payload: []byte("are you there")})
		for {
			f, err := ws.Read()
			if err != nil {
				t.Fatal(err)
			}
			if f.Op == wire.OpPong {
				if string(f.Payload) != "are you there" {
					t.Errorf("pong %q", f.Payload)
				}
				break
			}
		}
		answers(t, ws)
	})
	g.row("row 24 an idle connection keeps no read buffer", func(t *testing.T, s *target.Server) {
		const n = 300
		big := `421["echo","` + strings.Repeat("x", 60000) + `"]`
		warm := connect(t, s.Addr)
		warm.Text(big)
		warm.Next()
		grows(t, s, n*32<<10, func() { // a buffer of 64 KB each would be twice that
			for range n {
				ws := connect(t, s.Addr)
				ws.Text(big)
				ws.Next()
			}
		})
	})
	g.row("row 29 lengths", func(t *testing.T, s *target.Server) {
		claim := func(n uint64) wire.Frame {
			return wire.Frame{Op: wire.OpText, ClaimLength: true, Length: n, Payload: []byte("4")}
		}
		grows(t, s, 16<<20, func() {
			ends(t, s.Addr, []int{1009}, claim(limit+1))
			ends(t, s.Addr, []int{1009}, claim(1<<31))
			ends(t, s.Addr, []int{1009}, claim(1<<62))
			ends(t, s.Addr, []int{1009}, claim(1<<63-1))
			ends(t, s.Addr, []int{1002}, claim(1<<63))
			ends(t, s.Addr, []int{1002}, claim(1<<64-1))
		})
	})
	g.row("row 30 lengths that overflow a sum", func(t *testing.T, s *target.Server) {
		ends(t, s.Addr, []int{1009},
			wire.Frame{Op: wire.OpText, NotFin: true, Payload: []byte("42[")},
			wire.Frame{Op: wire.OpContinuation, ClaimLength: true, Length: 1<<63 - 1})
		ends(t, s.Addr, []int{1009},
			wire.Frame{Op: wire.OpText, NotFin: true, Payload: fill(limit-10, '4')},
			wire.Frame{Op: wire.OpContinuation, Payload: fill(11, '4')})
	})
	g.row("row 31 text that is not UTF-8", func(t *testing.T, s *target.Server) {
		for _, bad := range []string{"\xff", "\xc3(", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "\xe2\x82"} {
			ends(t, s.Addr, []int{1007}, text(`421["echo","`+bad+`"]`))
		}
		ws := connect(t, s.Addr)
		ws.Frame(cut(`421["echo","€😀"]`, 1)...) // characters cut by fragments are whole again
		ws.Expect(`431["€😀"]`)
	})
	g.row("row 31 a frame that never ends", func(t *testing.T, s *target.Server) {
		for _, half := range [][]byte{
			text(`421["echo"]`).Append(nil)[:1],
			text(`421["echo"]`).Append(nil)[:7],
			(wire.Frame{Op: wire.OpText, NotFin: true, Payload: []byte("42")}).Append(nil),
		} {
			ws := connect(t, s.Addr)
			ws.Raw(half)
			start := time.Now()
			ws.Closed()
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("% x: the connection was kept for %v, the limit is 1s", half, took)
			}
			ws.Close()
		}
	})
	g.row("row 31 frames against the rules", func(t *testing.T, s *target.Server) {
		for name, frames := range map[string][]wire.Frame{
			"unmasked":            {{Op: wire.OpText, Unmasked: true, Payload: []byte("3")}},
			"reserved bit 1":      {{Op: wire.OpText, RSV: 4, Payload: []byte("3")}},
			"reserved bit 2":      {{Op: wire.OpText, RSV: 2, Payload: []byte("3")}},
			"reserved bit 3":      {{Op: wire.OpText, RSV: 1, Payload: []byte("3")}},
			"opcode 3":            {{Op: 3, Payload: []byte("3")}},
			"opcode 11":           {{Op: 11}},
			"continuation alone":  {{Op: wire.OpContinuation, Payload: []byte("3")}},
			"text inside text":    {{Op: wire.OpText, NotFin: true, Payload: []byte("4")}, text("3")},
			"fragmented ping":     {{Op: wire.OpPing, NotFin: true}},
			"long ping":           {{Op: wire.OpPing, Payload: fill(126, 'x')}},
			"close of one byte":   {{Op: wire.OpClose, Payload: []byte{3}}},
			"close code 999":      {wire.CloseFrame(999, "")},
			"close code 1004":     {wire.CloseFrame(1004, "")},
			"close code 1005":     {wire.CloseFrame(1005, "")},
			"close code 1006":     {wire.CloseFrame(1006, "")},
			"close code 1015":     {wire.CloseFrame(1015, "")},
			"close code 2999":     {wire.CloseFrame(2999, "")},
			"close code 5000":     {wire.CloseFrame(5000, "")},
			"close frame in 8 B":  {{Op: wire.OpClose, ClaimLength: true, Length: 1 << 20}},
			"fragmented close":    {{Op: wire.OpClose, NotFin: true}},
			"deflate not agreed":  {{Op: wire.OpBinary, RSV: 4, Payload: []byte{0x4a, 0x04, 0x00}}},
			"unmasked empty text": {{Op: wire.OpText, Unmasked: true}},
		} {
			t.Run(name, func(t *testing.T) { ends(t, s.Addr, []int{1002}, frames...) })
		}
		ends(t, s.Addr, []int{1007}, wire.CloseFrame(1000, "\xff"))
	})
	g.row("row 33 a close handshake that is never finished", func(t *testing.T, s *target.Server) {
		var conns []*wire.WS
		for range 200 {
			ws := connect(t, s.Addr)
			ws.Frame(wire.Frame{Op: 3})
			conns = append(conns, ws)
		}
		start := time.Now()
		for _, ws := range conns {
			wantEndOpen(t, ws, 1002)
			ws.End()
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the last of the connections was kept for %v, the limit is 1s", took)
		}
		// One that goes on sending instead is cut off as well.
		ws := connect(t, s.Addr)
		ws.Frame(wire.Frame{Op: 3})
		start = time.Now()
		more := wire.Frame{Op: wire.OpText, Payload: fill(10000, 'x')}
		for ws.TryFrame(more) == nil {
			if time.Since(start) > 10*time.Second {
				t.Fatal("the server went on reading")
			}
		}
	})
}

// wantEndOpen reads the close frame and leaves the connection open.
func wantEndOpen(t *testing.T, ws *wire.WS, code int) {
	t.Helper()
	if e := ws.Closed(); e.Code != code {
		t.Errorf("ended with %d, want %d", e.Code, code)
	}
}

// Rows 25 to 28: the handshake of WebSocket and its extensions.
func TestWebSocketHandshake(t *testing.T) {
	t.Parallel()
	g := serve(t)

	g.row("row 25 very many headers", func(t *testing.T, s *target.Server) {
		var many []string
		for i := range 20000 {
			many = append(many, fmt.Sprintf("X-H%d: v", i))
		}
		for name, header := range map[string][]string{"many": many, "long": {"X-Long: " + strings.Repeat("v", 2<<20)}} {
			grows(t, s, 24<<20, func() {
				x := wire.Connect(t, s.Addr)
				_ = x.TryRaw("GET " + socket + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(wire.UpgradeHeader(), header...), "\r\n") + "\r\n\r\n")
				if r, err := x.TryResponse(); err == nil && r.Status != 431 && r.Status != 400 {
					t.Errorf("%s: answered %d", name, r.Status)
				} else if err != nil {
					t.Logf("%s: no answer could be read: %v", name, err) // a reset while it still writes
				}
				x.Close()
			})
		}
	})
	g.row("row 26 a long list of subprotocols", func(t *testing.T, s *target.Server) {
		for _, list := range []string{strings.Repeat("a,", 15000), strings.Repeat(" ", 30000) + "a", strings.Repeat("a ", 15000), strings.Repeat(",", 30000)} {
			within(t, time.Second, "the answer", func() {
				ws, r := wire.TryDial(t, s.Addr, socket, "Sec-WebSocket-Protocol: "+list)
				if ws == nil {
					wantStatus(t, r, 400, 431)
					return
				}
				if got := r.Header.Get("Sec-WebSocket-Protocol"); got != "" {
					t.Errorf("the server chose subprotocol %q", got)
				}
				ws.Close()
			})
		}
	})
	g.row("row 27 extensions by the names of JavaScript's properties", func(t *testing.T, s *target.Server) {
		for _, ext := range []string{"constructor", "__proto__; a=b", "toString, permessage-deflate; __proto__=1", "permessage-deflate; server_max_window_bits=99", `x; y="`} {
			ws, r := wire.TryDial(t, s.Addr, socket, "Sec-WebSocket-Extensions: "+ext)
			if ws == nil {
				wantStatus(t, r, 400)
				continue
			}
			if got := r.Header.Get("Sec-WebSocket-Extensions"); got != "" {
				t.Errorf("%s: the server agreed to %q", ext, got)
			}
			ws.ExpectPrefix("0{")
			ws.Close()
		}
	})
	g.row("row 27 a handshake against the rules", func(t *testing.T, s *target.Server) {
		without := func(drop string) []string {
			var h []string
			for _, line := range wire.UpgradeHeader() {
				if !strings.HasPrefix(line, drop+":") {
					h = append(h, line)
				}
			}
			return h
		}
		for name, header := range map[string][]string{
			"no key":        without("Sec-WebSocket-Key"),
			"short key":     append(without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: abc"),
			"no version":    without("Sec-WebSocket-Version"),
			"version 8":     append(without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"),
			"no connection": without("Connection"),
			"no upgrade":    without("Upgrade"),
		} {
			r := wire.Do(t, s.Addr, wire.Request{Target: socket, Header: header})
			if r.Status != 400 && (name != "version 8" && name != "no version" || r.Status != 426) {
				t.Errorf("%s: answered %d %q, want 400", name, r.Status, r.Body)
			}
		}
		wantStatus(t, wire.Do(t, s.Addr, wire.Request{Method: "POST", Target: socket, Header: wire.UpgradeHeader()}), 400)
	})
}

// Row 28: compression, where it is turned on.
func TestDeflate(t *testing.T) {
	t.Parallel()
	g := serve(t, perMessageDeflate)
	deflated := func(t *testing.T, p []byte) []byte {
		t.Helper()
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
	}
	dial := func(t *testing.T, s *target.Server) *wire.WS {
		t.Helper()
		ws, r := wire.TryDial(t, s.Addr, socket, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
		if ws == nil {
			t.Fatalf("answered %d %q", r.Status, r.Body)
		}
		if got := r.Header.Get("Sec-WebSocket-Extensions"); !strings.Contains(got, "permessage-deflate") || !strings.Contains(got, "client_no_context_takeover") {
			t.Fatalf("the server agreed to %q", got)
		}
		ws.ExpectPrefix("0{")
		ws.Text("40")
		ws.ExpectPrefix("40{")
		return ws
	}
	g.row("row 28 a bomb", func(t *testing.T, s *target.Server) {
		for name, p := range map[string][]byte{
			"over the limit":    fill(64<<20, '4'),
			"over the ratio":    fill(limit-10, '4'),
			"just over, in all": append([]byte(`421["echo","`), fill(limit, 'x')...),
		} {
			grows(t, s, 24<<20, func() {
				ws := dial(t, s)
				_ = ws.TryFrame(wire.Frame{Op: wire.OpText, RSV: 4, Payload: deflated(t, p)})
				if e := ws.Closed(); e.Code != 1009 {
					t.Errorf("%s: ended with %d %q, want 1009", name, e.Code, e.Reason)
				}
				ws.Close()
			})
		}
	})
	g.row("row 28 what is no deflate", func(t *testing.T, s *target.Server) {
		for _, p := range [][]byte{{0xff, 0xff, 0xff}, {0x07}, {0x80, 0, 0, 0, 0, 0, 0, 0}} {
			ws := dial(t, s)
			_ = ws.TryFrame(wire.Frame{Op: wire.OpText, RSV: 4, Payload: p})
			wantEndOpen(t, ws, 1007)
			ws.Close()
		}
		ws := dial(t, s)
		ws.Frame(wire.Frame{Op: wire.OpText, RSV: 4, Payload: deflated(t, []byte(`421["echo","small"]`))})
		ws.Expect(`431["small"]`)
		ws.Text(`422["echo","plain"]`)
		ws.Expect(`432["plain"]`)
	})
}
