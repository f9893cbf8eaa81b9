package backplane_test

import (
	"testing"

	"github.com/siod-io/siod/backplane"
)

func TestFirstHome(t *testing.T) {
	t.Parallel()
	for pid, want := range map[string]string{"": "", "a": "", ".": "", ".x": "", "a.": "a", "a.x": "a", "a.b.x": "a.b"} {
		if got := backplane.FirstHome(pid); got != want {
			t.Errorf("FirstHome(%q) = %q, want %q", pid, got, want)
		}
	}
}
