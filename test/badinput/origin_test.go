package badinput

import (
	"strings"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Row 9: pages of other origins.
func TestOrigins(t *testing.T) {
	t.Parallel()
	const friend = "https://friend.example"
	foreign := []string{"https://evil.example", "null", "https://friend.example.evil.example", "https://friend.example:8443", "http://friend.example", "file://", "https://", "x"}

	refused := func(t *testing.T, s *target.Server, origin string) {
		t.Helper()
		h := []string{"Origin: " + origin, "Cookie: user=alice"}
		r := wire.Do(t, s.Addr, wire.Request{Target: polling, Header: h})
		wantCode(t, r, 403, 4)
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("origin %s: Access-Control-Allow-Origin %q", origin, got)
		}
		if ws, r := wire.TryDial(t, s.Addr, socket, h...); ws != nil {
			t.Errorf("origin %s opened a WebSocket", origin)
		} else {
			wantStatus(t, r, 403)
		}
	}
	taken := func(t *testing.T, s *target.Server, origin string) wire.Response {
		t.Helper()
		var h []string
		if origin != "" {
			h = []string{"Origin: " + origin}
		}
		wire.Dial(t, s.Addr, socket, h...).Close()
		r := wire.Do(t, s.Addr, wire.Request{Target: polling, Header: h})
		wantStatus(t, r, 200)
		return r
	}

	t.Run("by default", func(t *testing.T) {
		t.Parallel()
		g := serve(t)
		g.row("row 09 only the server's own origin", func(t *testing.T, s *target.Server) {
			taken(t, s, "")
			taken(t, s, "http://"+s.Addr)
			for _, origin := range append(foreign, friend) {
				refused(t, s, origin)
			}
		})
		g.row("row 09 a session cannot be used from another origin", func(t *testing.T, s *target.Server) {
			p := openPolling(t, s.Addr).join()
			for _, r := range []wire.Request{{Target: p.url}, {Target: p.url, Method: "POST", Body: "41"}} {
				r.Header = []string{"Origin: https://evil.example"}
				wantCode(t, wire.Do(t, s.Addr, r), 403, 4)
			}
			if ws, _ := wire.TryDial(t, s.Addr, socket+"&sid="+p.sid, "Origin: https://evil.example"); ws != nil {
				t.Error("another origin upgraded the session")
			}
			p.answers()
		})
	})
	t.Run("with a list", func(t *testing.T) {
		t.Parallel()
		g := serve(t, corsOrigins, friend, corsCredentials)
		g.row("row 09 only the listed origin and the server's own", func(t *testing.T, s *target.Server) {
			r := taken(t, s, friend)
			if r.Header.Get("Access-Control-Allow-Origin") != friend || r.Header.Get("Access-Control-Allow-Credentials") != "true" ||
				!strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
				t.Errorf("headers of an allowed origin: %v", r.Header)
			}
			for _, origin := range foreign {
				refused(t, s, origin)
			}
		})
	})
	t.Run("row 09 every origin with credentials", func(t *testing.T) {
		t.Parallel()
		r := target.Run(t, "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", app, "echo", corsOrigins, "*", corsCredentials)
		oneLine(t, r, 2, "cors")
	})
}
