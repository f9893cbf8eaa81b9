package badinput

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Rows 49 to 51: what clients make up must not spread.
func TestNames(t *testing.T) {
	t.Parallel()
	g := serve(t, logLevel, "debug")

	g.row("row 49 made-up names do not become metric labels", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		for i := range 300 {
			ws.Text(fmt.Sprintf(`42["made-up-%d",1]`, i))
			ws.Text(fmt.Sprintf(`40/made-up-%d,`, i))
			ws.ExpectPrefix(fmt.Sprintf("44/made-up-%d,", i))
			wire.Get(t, s.Addr, fmt.Sprintf("%s&transport=made-up-%d", engine, i))
			wire.Get(t, s.Addr, fmt.Sprintf("/made-up-%d", i))
		}
		answers(t, ws)
		label := regexp.MustCompile(`([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"`)
		values := map[string]map[string]bool{}
		for line := range s.Metrics(t) {
			name, labels, _ := strings.Cut(line, "{")
			for _, m := range label.FindAllStringSubmatch(labels, -1) {
				k := name + " " + m[1]
				if values[k] == nil {
					values[k] = map[string]bool{}
				}
				values[k][m[2]] = true
				if strings.Contains(m[2], "made-up") {
					t.Errorf("%s has the label value %q", name, m[2])
				}
			}
		}
		for k, v := range values {
			if len(v) > 50 {
				t.Errorf("%s has %d values", k, len(v))
			}
		}
	})
	g.row("row 50 names do not forge lines of the log", func(t *testing.T, s *target.Server) {
		const forged = "level=ERROR msg=forged"
		long := strings.Repeat("L", 100000)
		// The characters come in the three ways that a client has: escaped in
		// JSON, raw in a namespace, and escaped in a query.
		for _, name := range []string{`a\n` + forged, `a\r\n` + forged, `\u001b[31m` + forged, `\u2028` + forged, long} {
			ws := connect(t, s.Addr)
			ws.Text(`42["` + name + `",1]`)
			_ = ws.TryFrame(text("40/a\n" + forged + "\x1b[31m,"))
			_ = ws.TryFrame(text("42/" + long + `,["x"]`))
			ws.Closed()
			ws.Close()
		}
		wire.Get(t, s.Addr, polling+"&sid=a%0a"+strings.ReplaceAll(forged, " ", "%20")+"%1b%5b31m")
		wire.Get(t, s.Addr, engine+"&transport="+long)
		for line := range strings.Lines(s.Log()) {
			switch {
			case strings.HasPrefix(line, forged):
				t.Errorf("a forged line: %.200q", line)
			case strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\x00"):
				t.Errorf("a control character in %.200q", line)
			case len(line) > 2000:
				t.Errorf("a line of %d bytes: %.200q", len(line), line)
			}
		}
	})
	g.row("row 51 acknowledgements that nobody asked for", func(t *testing.T, s *target.Server) {
		ws := connect(t, s.Addr)
		for _, p := range []string{`430[]`, `431["x"]`, `432147483648[]`, `439999999999999999999["x"]`, `430[1,2,3]`} {
			ws.Text(p)
		}
		ws.Text(`461-7[{"_placeholder":true,"num":0}]`)
		ws.Binary(1)
		answers(t, ws)
	})
}
