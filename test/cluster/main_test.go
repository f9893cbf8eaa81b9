package cluster

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/test/internal/target"
)

var outside = flag.Int("nats", 0, "NATS servers outside, 1 or 3, for TestMatrix; 0: those within the nodes")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }
