package conformance

import (
	"flag"
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Three suites with four copies each, which mostly wait for heartbeats.
	_ = flag.Set("test.parallel", "12")
	goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit))
}
