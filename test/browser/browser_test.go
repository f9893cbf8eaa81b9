package browser

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/test/internal/nodejs"
	"github.com/siod-io/siod/test/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }

// TestBundles runs three bundles × three modes × four rows, and each row once
// for every defect that can be planted between page and server.
func TestBundles(t *testing.T) {
	nodejs.Setup(t, "browser")
	s := target.Start(t, "--app", "interop", "--ping-interval", "1s", "--ping-timeout", "12s")
	got := nodejs.Run(t, "run.mjs", "--server", "http://"+s.Addr, "--plant", "--out", "../../artifacts/browser.json")
	if want := 3 * 3 * 4; got.Cells != want || got.Skipped != 0 {
		t.Errorf("cells run = %d, skipped = %d; want %d and 0", got.Cells, got.Skipped, want)
	}
	if got.Planted == 0 || got.Noticed != got.Planted {
		t.Errorf("defects planted = %d, noticed = %d; want all of some", got.Planted, got.Noticed)
	}
}
