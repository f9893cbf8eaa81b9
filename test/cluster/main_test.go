package cluster

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/test/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }
