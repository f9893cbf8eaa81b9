package badinput

import (
	"strings"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// The shape of data: what is passed on as it is, and what is refused.
func TestData(t *testing.T) {
	t.Parallel()
	g := serve(t)
	nested := func(depth int) string {
		return strings.Repeat("[", depth) + strings.Repeat("]", depth)
	}

	g.row("data depth", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		ws.Text(`421["echo",` + nested(63) + `]`) // with the packet's own array, 64
		ws.Expect(`431[` + nested(63) + `]`)
		for _, depth := range []int{64, 65, 1000, 400000} {
			ends(t, s.Addr, ended, text(`421["echo",`+nested(depth)+`]`))
			ends(t, s.Addr, ended, text(`421["echo",`+strings.Repeat(`{"a":`, min(depth, 100000))))
		}
		ends(t, s.Addr, ended, text(`421["echo",`+strings.Repeat("[", limit-20)))
	})
	g.row("data is passed on as it came", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		for _, value := range []string{
			`9007199254740993`, `-0`, `1.0`, `1e2`, `1E+2`, `0.1000000000000000055511151231257827`, strings.Repeat("9", 400), `1e999`, `-1e-999`,
			`"\ud800"`, `"\udc00\ud800"`, `"\u0000"`, `"\u2028"`, "\"\u2028\u2029\"", `"<script>&amp;</script>"`, `"\/"`, `"é€😀"`, `"\u00e9"`,
			`{"a":1,"a":2}`, `{"__proto__":{"x":1},"constructor":null}`, `{"b":1,"a":2}`, `{}`, `[]`, `null`, `true`, `""`, `{"":""}`,
			`{"_placeholder":true,"num":0}`,
		} {
			ws.Text(`421["echo",` + value + `]`)
			ws.Expect(`431[` + value + `]`)
		}
	})
	g.row("data with bytes that are no UTF-8", func(t *testing.T, s *target.Server) {
		ends(t, s.Addr, []int{1007}, text("421[\"echo\",\"\xff\"]"))
		for _, bad := range []string{"\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80"} {
			p := openPolling(t, s.Addr).join()
			wantStatus(t, p.post(`421["echo","`+bad+`"]`), 400)
			p.gone()
		}
	})
	g.row("data that is no JSON", func(t *testing.T, s *target.Server) {
		for _, value := range []string{`'a'`, `"a`, `"\x"`, `"\u12"`, "\"\x01\"", "\"a\nb\"", `tru`, `nul`, `{a:1}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[,]`, `1 2`, `/**/1`, `--1`, `1e+`, "\u00a01", "\ufeff1"} {
			ends(t, s.Addr, ended, text(`421["echo",`+value+`]`))
		}
		ws := connect(t, s.Addr)
		ws.Text("421[\"echo\" ,\t{ \"a\" :\r\n1 } ]") // white space is JSON
		if f := ws.Next(); !strings.HasPrefix(string(f.Payload), "431[") {
			t.Errorf("white space: %q", f.Payload)
		}
	})
	g.row("data in names at their limit", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		ws.Text(`42["` + strings.Repeat("e", 128) + `",1]`)
		answers(t, ws)
		ends(t, s.Addr, ended, text(`42["`+strings.Repeat("e", 129)+`",1]`))
		ends(t, s.Addr, ended, text(`42/`+strings.Repeat("n", 129)+`,["x"]`))
	})
	g.row("data of revision 3 in lengths that lie", func(t *testing.T, s *target.Server) {
		const url = "/socket.io/?EIO=3&transport=polling&b64=1"
		for _, body := range []string{"5:4a", "0:", "x:4a", "-1:4a", ":4a", "2:4a1:", "99999999999:4a", strings.Repeat("9", 400) + ":4", "2", "1.5:4a", "2:4a garbage", "+2:4a"} {
			p := openPollingAt(t, s.Addr, url)
			wantStatus(t, wire.Post(t, s.Addr, p.url, body), 200, 400)
			target.EventuallyTrue(t, "the session ends after "+body[:min(len(body), 20)], func() bool {
				return wire.Get(t, s.Addr, p.url).Status == 400
			})
		}
		for _, body := range []string{"\x00\xff4", "\x00\x09\xff4", "\x02\x02\xff4a", "\x00\x01\x02", "\x00" + strings.Repeat("\x09", 400) + "\xff4", "\x01\x05\xff\x04\x01"} {
			p := openPollingAt(t, s.Addr, url)
			wantStatus(t, wire.Do(t, s.Addr, wire.Request{Target: p.url, Header: []string{"Content-Type: application/octet-stream"}, Body: body}), 200, 400)
			target.EventuallyTrue(t, "the session ends", func() bool { return wire.Get(t, s.Addr, p.url).Status == 400 })
		}
	})
	g.row("data of the wrong kind for a revision", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		wantStatus(t, wire.Do(t, s.Addr, wire.Request{Target: p.url, Header: []string{"Content-Type: application/octet-stream"}, Body: "42[]"}), 400)
		p.gone()
	})
}
