//go:build !race

package transport

import (
	"testing"
	"unsafe"

	"github.com/siod-io/siod/protocol"
)

// A broadcast costs no allocation for a delivery, and a few for itself.
func TestAllocsBroadcast(t *testing.T) {
	_, w, one := idleEngine(t, newApp())
	const n = 1000
	all := sinks(n, one)
	some := all[:n/2]
	text := make([]byte, 128)
	for name, batch := range map[string][]Cast{
		"one":         {{To: all}},
		"joined":      {{To: all}, {To: all}, {To: all}, {To: all}},
		"except":      {{To: all}, {To: all, Except: all[7].Session}},
		"two sets":    {{To: all}, {To: some}, {To: all}},
		"with a solo": {{To: all}, {Solo: all[3]}},
	} {
		got := testing.AllocsPerRun(20, func() {
			for i := range batch {
				batch[i].Message = NewText(text)
			}
			w.pass(batch)
		})
		if limit := 6 * float64(len(batch)); got > limit {
			t.Errorf("%s: %v allocations for %d casts to %d sessions", name, got, len(batch), n)
		}
	}
}

func TestAllocsSend(t *testing.T) {
	_, _, one := idleEngine(t, newApp())
	s := one()
	m := NewText(make([]byte, 128))
	f := protocol.Frames{Text: make([]byte, 128), Binary: [][]byte{make([]byte, 10)}}
	if n := testing.AllocsPerRun(1000, func() { s.Send(m, 0, false) }); n != 0 {
		t.Errorf("Send: %v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, func() { s.SendFrames(f) }); n != 0 {
		t.Errorf("SendFrames: %v allocations", n)
	}
}

func TestAllocsReceive(t *testing.T) {
	_, _, one := idleEngine(t, quiet{})
	if n := testing.AllocsPerRun(1000, receiver(one)); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What every session holds is kept small; the rest of an idle session is
// measured by BenchmarkIdle.
func TestSizes(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct{ size, limit uintptr }{
		"Session": {unsafe.Sizeof(Session{}), 320},
		"wsConn":  {unsafe.Sizeof(wsConn{}), 240},
		"Message": {unsafe.Sizeof(Message{}), 176},
		"Cast":    {unsafe.Sizeof(Cast{}), 96},
	} {
		t.Logf("%s: %d bytes", name, s.size)
		if s.size > s.limit {
			t.Errorf("%s takes %d bytes, %d are allowed", name, s.size, s.limit)
		}
	}
}
