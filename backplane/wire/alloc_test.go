//go:build !race

package wire_test

import (
	"bytes"
	"math"
	"runtime"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// The race detector changes what is allocated, so figures are taken without it.

func TestAllocs(t *testing.T) {
	limits := backplane.Limits{}
	none, one, many := chat(), chat(), whole()
	none.Target.Rooms = nil
	for range 100 {
		many.Target.Rooms = append(many.Target.Rooms, "room")
	}
	for _, tt := range []struct {
		name  string
		m     *wire.Message
		fresh float64
	}{
		{"no room", none, 1}, {"one room", one, 1}, {"every field, many rooms", many, 4},
	} {
		data := tt.m.Append(nil)
		var used wire.Message
		buf := make([]byte, 0, tt.m.Len())
		for _, c := range []struct {
			what string
			want float64
			run  func() error
		}{
			{"Decode", tt.fresh, func() error { _, err := wire.Decode(data, limits); return err }},
			{"Decode into a used message", 0, func() error { return used.Decode(data, limits) }},
			{"Append", 1, func() error { tt.m.Append(nil); return nil }},
			{"Append to a buffer", 0, func() error { tt.m.Append(buf); return nil }},
			{"From", 0, func() error { _ = tt.m.From(); return nil }},
		} {
			if n := testing.AllocsPerRun(200, func() {
				if err := c.run(); err != nil {
					t.Error(err)
				}
			}); n != c.want {
				t.Errorf("%s, %s: %v allocations, want %v", c.what, tt.name, n, c.want)
			}
		}
	}
}

// What a message claims is not allocated, and what it repeats only up to the
// limit: a megabyte of the worst costs less than a twentieth of that.
func TestAllocsOfHostileMessages(t *testing.T) {
	const size = 1 << 20
	for name, unit := range map[string][]byte{
		"rooms":           text(7, ""),
		"excepts":         text(8, ""),
		"attachments":     text(10, ""),
		"all in turn":     bytes.Join([][]byte{text(7, ""), text(8, ""), text(10, "")}, nil),
		"unknown numbers": number(21, 0),
		"groups":          field(99, 3),
		"claimed rooms":   field(7, 2, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"claimed text":    field(9, 2, maxVarint...),
		"claimed unknown": field(99, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"nothing but one": {1},
		"nothing but ff":  {0xff},
	} {
		data := append([]byte{1}, bytes.Repeat(unit, size/len(unit))...)
		// The counters are the whole process's, the runtime's own work included,
		// which only adds: the least of a few is the decoder's.
		n, count := uint64(math.MaxUint64), uint64(math.MaxUint64)
		for range 5 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := wire.Decode(data, backplane.Limits{})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			n, count = min(n, after.TotalAlloc-before.TotalAlloc), min(count, after.Mallocs-before.Mallocs)
		}
		if n > 48<<10 || count > 60 {
			t.Errorf("%s: %d bytes in %d allocations", name, n, count)
		}
	}
}
