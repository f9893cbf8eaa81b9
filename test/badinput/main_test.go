package badinput

import (
	"flag"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Groups mostly wait for time limits of their servers.
	_ = flag.Set("test.parallel", "8")
	goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit))
}
