package natsio_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// Most of these tests wait, for what must come and for what must not, so more of
// them run at a time than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
	goleak.VerifyTestMain(m)
}
