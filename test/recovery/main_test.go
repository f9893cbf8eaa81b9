package recovery

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	drops = flag.Int("drops", 120, "connections to lose in each test")
	seed  = flag.Uint64("seed", 0, "seed of the plan; 0 draws one")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
