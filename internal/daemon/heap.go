package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// heapFloor is how large the heap may become, in bytes, before garbage is
// collected at all (ADR 0015). A node's own data is a few megabytes until it
// has thousands of clients, and is collected when it has doubled: hundreds of
// times a second at a broadcast rate of tens of thousands.
const heapFloor = 32 << 20

// usualPercent is the runtime's default, which holds above the floor.
const usualPercent = 100

// keepHeap lets the heap of the process grow to heapFloor before it is
// collected, until stop is called, which sets the runtime's default. GOGC in the environment is the operator's word, and left alone;
// GOMEMLIMIT holds in any case, since the runtime collects earlier for it.
func keepHeap() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	k := &heapKeeper{percent: usualPercent}
	k.adjust()
	return k.stop
}

// A heapKeeper sets the collector's percentage anew after each cycle, from what
// that cycle left over: were it set once for a small heap, a heap that has grown
// since could become many times as large as it needs to be.
type heapKeeper struct {
	mu      sync.Mutex
	percent int // as it is set
	stopped bool
}

// adjust runs at first, and then once for each cycle, on the runtime's own
// goroutine for cleanups.
func (k *heapKeeper) adjust() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	// Setting it stops the world for some microseconds: not for nothing.
	if p := percentFor(readHeap()); p < k.percent-k.percent/8 || p > k.percent+k.percent/8 {
		debug.SetGCPercent(p)
		k.percent = p
	}
	// What nobody refers to is found by the next cycle. It holds a pointer since
	// the runtime puts small things without one together, and keeps them longer.
	runtime.AddCleanup(&struct{ _ *byte }{}, (*heapKeeper).adjust, k)
}

func (k *heapKeeper) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	debug.SetGCPercent(usualPercent)
}

// readHeap returns what the last cycle found in use, in bytes: the heap, and
// the stacks and globals, which count for the next cycle's goal (see the
// runtime's GC guide).
func readHeap() (live, roots uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() + s[2].Value.Uint64()
}

// percentFor is the percentage at which a heap is collected when it is
// heapFloor bytes large, but not before it has doubled. The goal of the runtime
// is live + (live + roots) * percent / 100, and at least 4 MiB * percent / 100.
func percentFor(live, roots uint64) int {
	if live >= heapFloor {
		return usualPercent
	}
	const most = heapFloor / (4 << 20) * 100
	return max(usualPercent, int(min(most, (heapFloor-live)*100/max(live+roots, 1))))
}
