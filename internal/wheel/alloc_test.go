//go:build !race

package wheel

import (
	"testing"
	"time"
	"unsafe"
)

func TestTimerSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Timer{}); n > 40 {
		t.Errorf("a Timer takes %d bytes", n)
	}
}

func TestAllocs(t *testing.T) {
	w := New(0)
	defer w.Close()
	p := newProbe(nil)
	if n := testing.AllocsPerRun(1000, func() {
		w.Schedule(&p.Timer, time.Minute)
		w.Schedule(&p.Timer, 2*time.Minute)
		w.Stop(&p.Timer)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
