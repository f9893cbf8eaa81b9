package conformance

import (
	"testing"

	"github.com/siod-io/siod/test/internal/target"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }
