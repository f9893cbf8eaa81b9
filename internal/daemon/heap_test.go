package daemon

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live, roots uint64
		want        int
	}{
		{0, 0, 800}, // no cycle yet: the runtime's least goal, 4 MiB at 100, becomes 32
		{mb, mb, 800},
		{8 * mb, 0, 300},
		{6 * mb, 2 * mb, 325},
		{15 * mb, 0, 113},
		{16 * mb, 0, 100},
		{31 * mb, 40 * mb, 100},
		{heapFloor, 0, 100},
		{1 << 40, 1 << 30, 100},
	} {
		if got := percentFor(c.live, c.roots); got != c.want {
			t.Errorf("percentFor(%d MiB, %d MiB) = %d, want %d", c.live/mb, c.roots/mb, got, c.want)
		}
	}
}

// TestKeepHeap follows a heap that grows and shrinks: the percentage has to
// come down as soon as there is more in use, and up again.
func TestKeepHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	k := &heapKeeper{percent: usualPercent}
	k.adjust()
	defer k.stop()
	reaches := func(what string, ok func(percent int) bool) {
		t.Helper()
		var percent int
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); runtime.Gosched() {
			runtime.GC() // what is behind a cycle runs on another goroutine
			k.mu.Lock()
			percent = k.percent
			k.mu.Unlock()
			if ok(percent) {
				return
			}
		}
		t.Fatalf("the percentage is %d %s", percent, what)
	}
	reaches("with a small heap", func(p int) bool { return p > 2*usualPercent })
	used := make([][]byte, 64)
	for i := range used {
		used[i] = make([]byte, 1<<20)
	}
	reaches("with 64 MiB in use", func(p int) bool { return p == usualPercent })
	runtime.KeepAlive(used)
	reaches("with a small heap again", func(p int) bool { return p > 2*usualPercent })
}

// TestKeepHeapLeavesGOGC: what the operator chose is not changed, neither at
// the start nor at the end.
func TestKeepHeapLeavesGOGC(t *testing.T) {
	const chosen = 57
	before := debug.SetGCPercent(chosen)
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", strconv.Itoa(chosen))
	stop := keepHeap()
	if got := debug.SetGCPercent(chosen); got != chosen {
		t.Errorf("the percentage is %d, was %d", got, chosen)
	}
	stop()
	if got := debug.SetGCPercent(chosen); got != chosen {
		t.Errorf("after stop the percentage is %d, was %d", got, chosen)
	}
}
