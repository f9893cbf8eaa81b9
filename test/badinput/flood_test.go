package badinput

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Row 41: more clients than the server takes.
func TestFull(t *testing.T) {
	t.Parallel()
	g := serve(t, maxSessions, "20")
	g.row("row 41 over the cap", func(t *testing.T, s *target.Server) {
		var conns []*wire.WS
		full := func(r wire.Response) {
			t.Helper()
			wantStatus(t, r, 503)
			if n, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
				t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
			}
		}
		for range 40 {
			ws, r := wire.TryDial(t, s.Addr, socket)
			if ws == nil {
				full(r)
				break
			}
			conns = append(conns, ws)
		}
		if len(conns) < 15 || len(conns) > 20 { // the other session counts, too
			t.Fatalf("%d sessions were opened, the cap is 20", len(conns))
		}
		full(wire.Get(t, s.Addr, polling))
		for i, ws := range conns { // those that are in notice nothing
			if i < 3 {
				ws.ExpectPrefix("0{")
				ws.Text("40")
				ws.ExpectPrefix("40{")
				answers(t, ws)
			}
		}
		conns[0].Close()
		target.EventuallyTrue(t, "a place that was left is given again", func() bool {
			ws, _ := wire.TryDial(t, s.Addr, socket)
			if ws != nil {
				ws.Close()
			}
			return ws != nil
		})
	})
}

// Row 40: who says where he comes from.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	// refusals counts handshakes that a limit on addresses refused.
	refusals := func(t *testing.T, s *target.Server, header func(i int) string) int {
		t.Helper()
		n := 0
		for i := range 60 {
			switch r := wire.Do(t, s.Addr, wire.Request{Target: polling, Header: []string{header(i)}}); r.Status {
			case 200:
			case 429, 503:
				n++
				if r.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			default:
				t.Fatalf("answered %d %q", r.Status, r.Body)
			}
		}
		return n
	}
	forged := func(i int) string { return fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i) }

	t.Run("clients come without a proxy", func(t *testing.T) {
		t.Parallel()
		g := serve(t, direct, handshakeRate, "5")
		g.row("row 40 a forged address does not help", func(t *testing.T, s *target.Server) {
			if n := refusals(t, s, forged); n < 20 {
				t.Errorf("%d of 60 handshakes of one address were refused, the rate is 5 a second", n)
			}
		})
	})
	t.Run("clients come by a proxy that is trusted", func(t *testing.T) {
		t.Parallel()
		g := serve(t, trustedProxies, "127.0.0.0/8", handshakeRate, "5")
		g.row("row 40 the proxy's word counts", func(t *testing.T, s *target.Server) {
			if n := refusals(t, s, forged); n > 0 {
				t.Errorf("%d of 60 handshakes of as many addresses were refused", n)
			}
			// What a client wrote in front of the proxy's own entry does not.
			if n := refusals(t, s, func(i int) string { return fmt.Sprintf("X-Forwarded-For: 198.51.100.%d, 203.0.113.200", i) }); n < 20 {
				t.Errorf("%d of 60 handshakes of one address were refused, the rate is 5 a second", n)
			}
		})
	})
	t.Run("row 40 nobody said where clients come from", func(t *testing.T) {
		t.Parallel()
		// A limit by an address that may be the proxy's would shut out everybody.
		r := target.Run(t, "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", app, "echo", handshakeRate, "5")
		oneLine(t, r, 2, "handshake-rate")
	})
}
