package badinput

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Rows 1 to 7, 16, 18, 20, 21, 48: what a packet may hold.
func TestPackets(t *testing.T) {
	t.Parallel()
	g := serve(t)

	g.row("row 01 one body of very many packets takes time in proportion", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		body := func(bytes int) string {
			return strings.TrimSuffix(strings.Repeat("42[\"x\"]\x1e", bytes/8), "\x1e")
		}
		p.taken(body(1000)) // the first is slower for other reasons
		start := time.Now()
		p.taken(body(limit / 10))
		tenth := time.Since(start)
		start = time.Now()
		p.taken(body(limit))
		if whole := time.Since(start); whole > 40*tenth+time.Second {
			t.Errorf("%d bytes took %v, a tenth of them %v", limit, whole, tenth)
		}
		p.answers()
	})
	g.row("row 01 one body of separators ends the session at once", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		within(t, 2*time.Second, "the answer", func() {
			wantStatus(t, p.post(strings.Repeat("\x1e", limit)), 200, 400)
		})
		p.gone()
	})
	g.row("row 02 a message over the limit", func(t *testing.T, s *target.Server) {
		grows(t, s, 24<<20, func() {
			ws := connect(t, s.Addr)
			_ = ws.TryFrame(text("4" + strings.Repeat("x", limit)))
			wantEnd(t, ws, 1009)
		})
		ws := connect(t, s.Addr)
		fits := `421["echo","` + strings.Repeat("x", limit-14) + `"]`
		ws.Text(fits)
		if f := ws.Next(); len(f.Payload) != len(fits)-len(`"echo",`) {
			t.Errorf("a message of exactly %d bytes was answered with %d bytes", len(fits), len(f.Payload))
		}
	})
	g.row("row 02 a body over the limit leaves the session alone", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		grows(t, s, 24<<20, func() {
			wantStatus(t, p.post(strings.Repeat("x", limit+1)), 413)
			x := wire.Start(t, s.Addr, wire.Request{Method: "POST", Target: p.url, Header: []string{"Content-Length: 10000000000"}})
			wantStatus(t, x.Response(), 413)
			x.Close()
		})
		p.answers()
	})
	g.row("row 02 a chunked body over the limit", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		grows(t, s, 24<<20, func() {
			chunk := fmt.Sprintf("%x\r\n%s\r\n", 100000, strings.Repeat("x", 100000))
			x := wire.Start(t, s.Addr, wire.Request{Method: "POST", Target: p.url, Header: []string{"Transfer-Encoding: chunked"}})
			for range 11 {
				if x.TryRaw(chunk) != nil {
					break
				}
			}
			wantStatus(t, x.Response(), 413)
		})
		p.answers()
	})
	g.row("row 03 too many attachments", func(t *testing.T, s *target.Server) {
		ends(t, s.Addr, ended, text(`4599999-["echo",{"_placeholder":true,"num":0}]`))
		ends(t, s.Addr, ended, text(`4511-["echo",{"_placeholder":true,"num":0}]`))
		ends(t, s.Addr, ended, text(`459999999999999999999999-["echo",{"_placeholder":true,"num":0}]`))
		ws := connect(t, s.Addr)
		var nums, bins []string
		for i := range 10 {
			nums = append(nums, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i))
			bins = append(bins, string(rune('a'+i)))
		}
		ws.Text(`4510-7["echo",` + strings.Join(nums, ",") + `]`)
		for _, b := range bins {
			ws.Binary([]byte(b)...)
		}
		ws.Expect(`4610-7[` + strings.Join(nums, ",") + `]`)
		for _, b := range bins {
			ws.ExpectBinary([]byte(b)...)
		}
	})
	g.row("row 03 too many arguments", func(t *testing.T, s *target.Server) {
		ones := func(n int) string { return strings.TrimSuffix(strings.Repeat("1,", n), ",") }
		ends(t, s.Addr, ended, text(`42["echo",`+ones(10_001)+`]`))
		ends(t, s.Addr, ended, text(`431[`+ones(limit/2-10)+`]`))
		ws := connect(t, s.Addr)
		ws.Text(`427["echo",` + ones(10_000) + `]`)
		ws.Expect(`437[` + ones(10_000) + `]`)
	})
	g.row("row 03 bytes of an unfinished packet", func(t *testing.T, s *target.Server) {
		packet := []wire.Frame{text(`4510-["echo",{"_placeholder":true,"num":0}]`)}
		for range 10 {
			packet = append(packet, bulk(900000, 'x'))
		}
		ends(t, s.Addr, ended, packet...)
		grows(t, s, 64<<20, func() {
			for range 20 {
				connect(t, s.Addr).Frame(packet[:3]...) // below the cap, and held
			}
		})
	})
	g.row("row 04 a binary packet without attachments", func(t *testing.T, s *target.Server) {
		for _, p := range []string{`450-["echo"]`, `45["echo"]`, `45-["echo"]`, `460-["x"]`, `4500-["echo"]`} {
			ends(t, s.Addr, ended, text(p))
		}
	})
	g.row("row 05 placeholders that are none", func(t *testing.T, s *target.Server) {
		for _, num := range []string{`"0"`, `-1`, `1`, `0.5`, `1e3`, `null`, `true`, `{}`, `[0]`, `99999999999999999999`} {
			ends(t, s.Addr, ended, text(`451-3["echo",{"_placeholder":true,"num":`+num+`}]`), binary(1))
		}
	})
	g.row("row 05 one attachment in many places is not copied", func(t *testing.T, s *target.Server) {
		grows(t, s, 48<<20, func() {
			ws := connect(t, s.Addr)
			const places = 500
			refs := strings.TrimSuffix(strings.Repeat(`{"_placeholder":true,"num":0},`, places), ",")
			ws.Text(`451-1["echo",` + refs + `]`)
			ws.Frame(bulk(900000, 'x'))
			got := 0
			for got < 900000 {
				f, err := ws.Read()
				if err != nil || f.Op == wire.OpClose {
					return // refused
				}
				if f.Op == wire.OpBinary {
					got += len(f.Payload)
				}
			}
			answers(t, ws)
		})
	})
	g.row("row 06 event names that are no names", func(t *testing.T, s *target.Server) {
		for _, name := range []string{`{"toString":"x"}`, `null`, `true`, `[]`, `["echo"]`, `{}`} {
			ends(t, s.Addr, ended, text(`42[`+name+`,1]`))
			ends(t, s.Addr, ended, text(`427[`+name+`,1]`))
		}
		for _, p := range []string{`42[]`, `42{}`, `42"echo"`, `42`, `42null`, `421`, `42["echo"`, `42["echo"]x`, `42["echo",]`, `42[,"echo"]`} {
			ends(t, s.Addr, ended, text(p))
		}
		ws := connect(t, s.Addr)
		ws.Text(`42[7,"numbers are names in JavaScript"]`)
		answers(t, ws)
	})
	g.row("row 07 reserved event names", func(t *testing.T, s *target.Server) {
		for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
			ends(t, s.Addr, ended, text(`42["`+name+`","x"]`))
			ends(t, s.Addr, ended, text(`425["`+name+`"]`))
		}
		ws := connect(t, s.Addr)
		for _, name := range []string{"error", "ping", "__proto__", "constructor", "connection"} {
			ws.Text(`42["` + name + `",{"message":"x"}]`)
		}
		answers(t, ws)
	})
	g.row("row 07 packets that no client sends", func(t *testing.T, s *target.Server) {
		for _, p := range []string{`47`, `49["echo"]`, `4-["echo"]`, `4x`, `44{"message":"x"}`, `44"x"`, `41{"a":1}`, `43{}`, `437"x"`, `40"x"`, `40[1]`, `40null`,
			`40`, `42/admin,["echo"]`, `42/nowhere,["echo"]`, `43/admin,1[]`} {
			ends(t, s.Addr, ended, text(p))
		}
		ends(t, s.Addr, ended, binary(1, 2, 3))
	})
	g.row("row 16 an unfinished binary packet", func(t *testing.T, s *target.Server) {
		const header = `451-["echo",{"_placeholder":true,"num":0}]`
		ends(t, s.Addr, ended, text(header), text(`42["echo"]`))
		ends(t, s.Addr, ended, text(header), text(header))
		ends(t, s.Addr, ended, text(header), text(`41`))
		ws := connect(t, s.Addr)
		ws.Text(header)
		ws.Text("3") // packets of the layer below may come between
		ws.Binary(1)
		answers(t, ws)
	})
	g.row("row 18 a close packet over WebSocket", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		ws.Text("1")
		wantEnd(t, ws, wire.NoStatus, 1000)
		ws.End()
	})
	g.row("row 20 acknowledgement ids", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		for _, id := range []string{"0", "9007199254740993", strings.Repeat("9", 18), "9223372036854775807", strings.Repeat("9", 19)} {
			ws.Text(`42` + id + `["echo",1]`)
			ws.Expect(`43` + id + `[1]`)
		}
		for _, n := range []int{20, 21, 400, 100000} {
			ends(t, s.Addr, ended, text(`42`+strings.Repeat("9", n)+`["echo",1]`))
		}
		ends(t, s.Addr, ended, text(`42-1["echo",1]`))
		ends(t, s.Addr, ended, text(`421.5["echo",1]`))
	})
	g.row("row 21 numbers that JSON does not have", func(t *testing.T, s *target.Server) {
		for _, n := range []string{"NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "0x10", "1e", "undefined"} {
			ends(t, s.Addr, ended, text(`421["echo",`+n+`]`))
		}
		ws := connect(t, s.Addr)
		ws.Text(`421["echo",1e999]`)
		ws.Expect(`431[1e999]`)
	})
	g.row("row 48 namespaces that nobody made", func(t *testing.T, s *target.Server) {
		grows(t, s, 24<<20, func() {
			ws := connect(t, s.Addr)
			for i := range 2000 {
				if ws.TryFrame(text(fmt.Sprintf("40/x%d,", i))) != nil {
					return // ended for asking too often
				}
				f, err := ws.Read()
				if err != nil || f.Op == wire.OpClose {
					return
				}
				if want := fmt.Sprintf(`44/x%d,{"message":"Invalid namespace"}`, i); string(f.Payload) != want {
					t.Fatalf("got %q, want %q", f.Payload, want)
				}
			}
		})
		ends(t, s.Addr, ended, text("40/"+strings.Repeat("n", 129)+","))
	})
}
