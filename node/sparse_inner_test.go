package node

import (
	"testing"
	"time"
)

// Ten lines of a kind in a second; the next says how many were left out.
func TestSparse(t *testing.T) {
	t.Parallel()
	var p sparse
	now := time.Now()
	for i := range 30 {
		if _, ok := p.admit("a", now.Add(time.Duration(i)*time.Millisecond)); ok != (i < maxLines) {
			t.Errorf("line %d: %v", i, ok)
		}
	}
	if left, ok := p.admit("b", now); left != 0 || !ok {
		t.Errorf("another kind: %d left out, %v", left, ok)
	}
	for i, want := range []int{20, 0} {
		if left, ok := p.admit("a", now.Add(time.Second)); left != want || !ok {
			t.Errorf("line %d of the next second: %d left out, %v; want %d", i, left, ok, want)
		}
	}
}
