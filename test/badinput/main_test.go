package badinput

import (
	"flag"
	"os"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Groups mostly wait for time limits of their servers.
	_ = flag.Set("test.parallel", "8")
	// Garbage that servers let lie for a while (ADR 0015) would hide what they hold.
	if err := os.Setenv("GOGC", "100"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit))
}
