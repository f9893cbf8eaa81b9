package badinput

import (
	"fmt"
	"math"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Rows 8, 13, 17, 19, 43: requests and sessions.
func TestSessions(t *testing.T) {
	t.Parallel()
	g := serve(t, connectTimeout, "1s", upgradeTimeout, "1s", logLevel, "debug")

	g.row("row 08 names of JavaScript's own properties", func(t *testing.T, s *target.Server) {
		for _, name := range []string{"__proto__", "constructor", "toString", "hasOwnProperty", "%00", "..%2f..%2f", strings.Repeat("a", 4000)} {
			wantCode(t, wire.Get(t, s.Addr, engine+"&transport="+name), 400, 0)
			wantCode(t, wire.Get(t, s.Addr, polling+"&sid="+name), 400, 1)
			wantCode(t, wire.Post(t, s.Addr, polling+"&sid="+name, "40"), 400, 1)
			ws, r := wire.TryDial(t, s.Addr, socket+"&sid="+name)
			if ws != nil {
				t.Errorf("sid %.20q: a WebSocket was opened", name)
			}
			wantStatus(t, r, 400)
		}
	})
	g.row("row 08 another revision on a live session", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		wantCode(t, wire.Get(t, s.Addr, strings.Replace(p.url, "EIO=4", "EIO=3", 1)), 400, 3)
		wantCode(t, wire.Post(t, s.Addr, strings.Replace(p.url, "EIO=4", "EIO=3", 1), "2:40"), 400, 3)
		p.answers()
	})
	g.row("row 08 an upgrade that is cut off", func(t *testing.T, s *target.Server) {
		for _, said := range []string{"", "2probe", "x", "4hello", "5", "2", "3probe"} {
			p := openPolling(t, s.Addr).join()
			ws := wire.Dial(t, s.Addr, socket+"&sid="+p.sid)
			if said != "" {
				ws.Text(said)
			}
			if said == "2probe" {
				ws.Expect("3probe")
			}
			_ = ws.Conn().(*net.TCPConn).SetLinger(0) // a reset, as from a crash
			ws.Close()
			p.answers()
		}
	})
	g.row("row 08 an upgrade that is never finished", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		ws := wire.Dial(t, s.Addr, socket+"&sid="+p.sid)
		ws.Text("2probe")
		ws.Expect("3probe")
		start := time.Now()
		ws.Closed()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("the WebSocket was closed after %v, the limit is 1s", took)
		}
		p.answers()
	})
	g.row("row 13 a session that joins no namespace", func(t *testing.T, s *target.Server) {
		start := time.Now()
		ws := open(t, s.Addr)
		wantEnd(t, ws, wire.NoStatus, 1000, 1008)
		if took := time.Since(start); took < 990*time.Millisecond || took > 3*time.Second {
			t.Errorf("ended after %v, the limit is 1s", took)
		}
		p := openPolling(t, s.Addr)
		if r := p.get(); r.Status != 200 || !strings.HasSuffix(r.Body, "1") {
			t.Errorf("the pending poll of such a session answered %d %q", r.Status, r.Body)
		}
		p.gone()
	})
	g.row("row 17 a bad body is answered at once", func(t *testing.T, s *target.Server) {
		for _, body := range []string{"abc", "", "4a\x1e", "9", "b!!!", "4\x00\xff", "\x1e4a"} {
			t.Run(fmt.Sprintf("%q", body), func(t *testing.T) {
				p := openPolling(t, s.Addr).join()
				within(t, time.Second, "the answer", func() { wantStatus(t, p.post(body), 200, 400) })
				p.gone()
			})
		}
	})
	g.row("row 19 JSONP is off", func(t *testing.T, s *target.Server) {
		for _, j := range []string{"0", "alert(1)", "0];alert(1)//", "%3Cscript%3E"} {
			r := wire.Get(t, s.Addr, polling+"&j="+j)
			wantCode(t, r, 400, 3)
			if strings.Contains(r.Body, "alert") || strings.Contains(r.Body, "___eio") {
				t.Errorf("j=%s came back: %q", j, r.Body)
			}
		}
	})
	g.row("row 43 session ids", func(t *testing.T, s *target.Server) {
		const n = 400
		seen := map[string]bool{}
		var ones [120]int
		for range n {
			sid := sidOf(t, wire.Get(t, s.Addr, polling).Body)
			if len(sid) != 26 || seen[sid] {
				t.Fatalf("session id %q: 26 characters, never twice", sid)
			}
			seen[sid] = true
			for i, c := range []byte(sid[6:]) {
				v := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c)
				if v < 0 {
					t.Fatalf("session id %q is not base64url", sid)
				}
				for b := range 6 {
					ones[i*6+b] += v >> b & 1
				}
			}
		}
		// Each bit is a fair coin: six standard deviations on either side.
		for i, k := range ones {
			if d := math.Abs(float64(k) - n/2); d > 6*math.Sqrt(n)/2 {
				t.Errorf("bit %d of the random part is set in %d of %d ids", i, k, n)
			}
		}
	})
	g.row("row 43 the session id stays secret", func(t *testing.T, s *target.Server) {
		ws := wire.Dial(t, s.Addr, socket)
		sid := sidOf(t, ws.ExpectPrefix("0"))
		ws.Text("40")
		public := sidOf(t, ws.ExpectPrefix("40"))
		if public == sid || strings.Contains(public, sid[6:]) {
			t.Errorf("the public id %q tells the session id %q", public, sid)
		}
		wantCode(t, wire.Get(t, s.Addr, polling+"&sid="+public), 400, 1)
		ws.Text("4x") // a mistake, so that there is something to log
		ws.Closed()
		ws.Close()
		if strings.Contains(s.Log(), sid) {
			t.Errorf("the log has the session id")
		}
	})
}

func TestJSONP(t *testing.T) {
	t.Parallel()
	g := serve(t, jsonp)
	g.row("row 19 the index of JSONP is digits", func(t *testing.T, s *target.Server) {
		index := regexp.MustCompile(`^___eio\[\d+\]\("0\{.*\}"\);$`)
		for _, j := range []string{"7", "0];alert(1)//", "%3Cscript%3E3", "__proto__1", strings.Repeat("9", 500)} {
			r := wire.Get(t, s.Addr, polling+"&j="+j)
			if r.Status != 200 || !index.MatchString(r.Body) {
				t.Errorf("j=%.40s: %d %.200q", j, r.Status, r.Body)
			}
			if ct := r.Header.Get("Content-Type"); !strings.EqualFold(ct, "text/javascript; charset=UTF-8") || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("j=%s: type %q, options %q", j, ct, r.Header.Get("X-Content-Type-Options"))
			}
		}
		if r := wire.Get(t, s.Addr, polling); strings.Contains(r.Header.Get("Content-Type"), "javascript") {
			t.Errorf("a poll without j is of type %q", r.Header.Get("Content-Type"))
		}
	})
}
