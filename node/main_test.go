package node_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(audienceEnv) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// audienceEnv makes the test binary a process that holds the clients of a
// benchmark, since one process may not have the descriptors for both sides. Its
// value is "<number> <url>".
const audienceEnv = "NODE_TEST_AUDIENCE"

// TestAudience is that process: it says "ready" when all are connected, and
// ends with its input. Without the environment it has nothing to do.
func TestAudience(t *testing.T) {
	var n int
	srv := &server{}
	if _, err := fmt.Sscan(os.Getenv(audienceEnv), &n, &srv.url); err != nil {
		return
	}
	for range n {
		srv.lean(t).discard()
	}
	fmt.Println("\nready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
