package interop

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/test/internal/nodejs"
	"github.com/siod-io/siod/test/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }

// artifact is the part of run.mjs's report that the test reads.
type artifact struct {
	Columns []struct {
		ID      string
		Version string
		Rows    map[string]struct {
			OK    bool
			Error string
		}
		Defects []struct {
			Row, Defect string
			Noticed     bool
			Why         string
		}
	}
}

// promised is what the matrix must hold, written down apart from its plan so
// that a cell cannot go missing there unnoticed.
var (
	exchange = []string{"text", "ack", "binary", "namespace", "refuse", "unknown", "leave", "kick", "reconnect", "order", "heartbeat", "offset"}
	newest   = []string{"batch", "recover", "recover-silent", "recover-volatile", "recover-refused"}
	promised = map[string][]string{
		"1.3.5": exchange, "1.7.4": exchange, "2.5.0": exchange, "3.1.3": exchange,
		"4.8.4": slices.Concat(exchange, newest), "4.8.4-msgpack": slices.Concat(exchange, newest),
		"python": exchange, "python-msgpack": exchange, "python-asyncio": exchange,
	}
)

func TestMatrix(t *testing.T) {
	nodejs.Setup(t, "interop")
	heartbeat := []string{"--app", "interop", "--ping-interval", "1s", "--ping-timeout", "12s"}
	plain := target.Start(t, heartbeat...)
	recovering := target.Start(t, append(heartbeat, "--recovery")...)
	quick := target.Start(t, "--app", "interop", "--ping-interval", "300ms", "--ping-timeout", "700ms")

	const report = "../../artifacts/interop.json"
	_ = os.Remove(report) // an old one must not speak for this run
	counts := nodejs.Run(t, "run.mjs", "--plant", "all", "--out", report,
		"--server", "plain=http://"+plain.Addr, "--server", "recovery=http://"+recovering.Addr, "--server", "quick=http://"+quick.Addr)

	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var got artifact
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	cells := 0
	for client, rows := range promised {
		for _, mode := range []string{"polling", "websocket", "upgrade"} {
			id := client + "/" + mode
			t.Run(id, func(t *testing.T) { checkColumn(t, &got, id, rows) })
			cells += len(rows)
		}
	}
	if counts.Cells != cells || counts.Skipped != 0 {
		t.Errorf("cells run = %d, skipped = %d; want %d and 0", counts.Cells, counts.Skipped, cells)
	}
	if counts.Planted == 0 || counts.Noticed != counts.Planted {
		t.Errorf("defects planted = %d, noticed = %d; want all of some", counts.Planted, counts.Noticed)
	}
}

// checkColumn checks that every row ran and passed, and that every row failed
// when a defect was planted.
func checkColumn(t *testing.T, got *artifact, id string, rows []string) {
	for _, c := range got.Columns {
		if c.ID != id {
			continue
		}
		for _, row := range rows {
			if r, ok := c.Rows[row]; !ok || !r.OK {
				t.Errorf("%s: ran %v, %s", row, ok, r.Error)
			}
			planted := false
			for _, d := range c.Defects {
				if d.Row == row {
					planted = true
					if !d.Noticed {
						t.Errorf("%s with %q: %s", row, d.Defect, d.Why)
					}
				}
			}
			if !planted {
				t.Errorf("%s: no defect was planted, so nothing shows that it can fail", row)
			}
		}
		return
	}
	t.Error("the column did not run")
}
