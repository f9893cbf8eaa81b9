package browser

import (
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/test/internal/nodejs"
	"github.com/siod-io/siod/test/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }

// TestBundles runs three bundles × three modes × four rows, and each of these
// cells once more with a defect planted between page and server.
func TestBundles(t *testing.T) {
	nodejs.Setup(t, "browser")
	s := target.Start(t, "--app", "interop", "--ping-interval", "1s", "--ping-timeout", "12s")
	got := nodejs.Run(t, "run.mjs", "--server", "http://"+s.Addr, "--plant", "--out", "../../artifacts/browser.json")
	if want := 3 * 3 * 4; got.Cells != want || got.Skipped != 0 {
		t.Errorf("cells run = %d, skipped = %d; want %d and 0", got.Cells, got.Skipped, want)
	}
	if got.Planted != got.Cells || got.Noticed != got.Planted {
		t.Errorf("defects planted = %d, noticed = %d; want one a cell", got.Planted, got.Noticed)
	}
}

// TestDemo has two people chat on the page of siod dev. Its pictures are for a
// person to look at.
func TestDemo(t *testing.T) {
	nodejs.Setup(t, "browser")
	siod := filepath.Join(t.TempDir(), "siod")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", siod, "../../cmd/siod").CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/siod: %v\n%s", err, out)
	}
	got := nodejs.Run(t, "demo.mjs", "--siod", siod, "--pictures", "../../artifacts")
	if got.Cells == 0 || got.Skipped != 0 {
		t.Errorf("steps run = %d, skipped = %d; want all of some", got.Cells, got.Skipped)
	}
}
