package backplane_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

func tag(s string) (t backplane.Tag) {
	copy(t[:], s)
	return t
}

func offset(seq uint64, t string) backplane.Offset {
	return backplane.Offset{Position: backplane.Position{Seq: seq, Tag: tag(t)}}
}

func direct(seq uint64, t string, k uint64) backplane.Offset {
	o := offset(seq, t)
	o.K, o.Direct = k, true
	return o
}

func TestOffsetForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o    backplane.Offset
		want string
	}{
		{offset(0, "AAAA"), "0.AAAA"},
		{offset(35, "aZ-_"), "z.aZ-_"},
		{offset(36, "0000"), "10.0000"},
		{offset(math.MaxUint64, "____"), "3w5e11264sgsf.____"},
		{direct(1, "AAAA", 0), "1.AAAA+0"},
		{direct(1295, "AAAA", 1<<31), "zz.AAAA+zik0zk"},
		{direct(math.MaxUint64, "----", math.MaxUint64), "3w5e11264sgsf.----+3w5e11264sgsf"},
	} {
		if got := tt.o.String(); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.o, got, tt.want)
		}
		if len(tt.want) > backplane.MaxOffset {
			t.Errorf("%q is longer than MaxOffset", tt.want)
		}
		if got, ok := backplane.ParseOffset(tt.want); !ok || got != tt.o {
			t.Errorf("%q is %+v, %v", tt.want, got, ok)
		}
		if got, ok := backplane.ParseOffset([]byte(tt.want)); !ok || got != tt.o {
			t.Errorf("bytes %q are %+v, %v", tt.want, got, ok)
		}
	}
}

func TestOffsetRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", ".", "1", "1.", "1.AAA", "1.AAAAA", ".AAAA", "1AAAA", "1,AAAA",
		"01.AAAA", "00.AAAA", "A.AAAA", "-1.AAAA", "+1.AAAA", " 1.AAAA", "1.AAAA ",
		"1.AA+A", "1.AA=A", "1.AA/A", "1.AAA\x00", "1.AA\u00e9",
		"1.AAAA+", "1.AAAA-1", "1.AAAA+01", "1.AAAA+Z", "1.AAAA+1 ", "1.AAAA+1.", "1.AAAA++1", "1.AAAA+1+1",
		"3w5e11264sgsg.AAAA", "1.AAAA+3w5e11264sgsg", "zzzzzzzzzzzzzz.AAAA", strings.Repeat("1", 1000) + ".AAAA",
		"Q84jh0q", "undefined", "null", "{}",
	} {
		if got, ok := backplane.ParseOffset(s); ok || got != (backplane.Offset{}) {
			t.Errorf("%q is %+v, %v", s, got, ok)
		}
	}
}

func genOffset(t *rapid.T) backplane.Offset {
	o := backplane.Offset{Direct: rapid.Bool().Draw(t, "direct")}
	o.Seq = rapid.Uint64().Draw(t, "seq")
	o.Tag = backplane.NewTag(time.Unix(0, rapid.Int64().Draw(t, "created")), o.Seq, time.Time{})
	if o.Direct {
		o.K = rapid.Uint64().Draw(t, "k")
	}
	return o
}

func TestOffsetRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := genOffset(t)
		got, ok := backplane.ParseOffset(o.Append(nil))
		if !ok || got != o {
			t.Fatalf("%s is read as %+v, %v", o, got, ok)
		}
	})
}

// FuzzParseOffset: whatever is accepted is the one form of its offset.
func FuzzParseOffset(f *testing.F) {
	for _, s := range []string{"0.AAAA", "3w5e11264sgsf.aZ-_+0", "1.AAAA+", "01.AAAA", "zzzzzzzzzzzzzzzzz.____"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, ok := backplane.ParseOffset(s)
		if ok && o.String() != s {
			t.Errorf("%q is accepted as %q", s, o)
		}
		if !ok && o != (backplane.Offset{}) {
			t.Errorf("%q is refused with %+v", s, o)
		}
	})
}

func TestOffsetCompare(t *testing.T) {
	t.Parallel()
	sorted := []backplane.Offset{
		offset(1, "AAAA"), direct(1, "AAAA", 0), direct(1, "AAAA", 7),
		offset(2, "AAAA"), direct(2, "AAAA", 3), offset(10, "AAAA"),
	}
	for i, o := range sorted {
		for j, p := range sorted {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := o.Compare(p); got != want {
				t.Errorf("%s against %s is %d, want %d", o, p, got, want)
			}
		}
	}
	if offset(1, "AAAA").Compare(offset(1, "BBBB")) != 0 {
		t.Error("tags are compared")
	}
	rapid.Check(t, func(t *rapid.T) {
		list := []backplane.Offset{genOffset(t), genOffset(t), genOffset(t)}
		slices.SortFunc(list, backplane.Offset.Compare)
		if list[0].Compare(list[2]) > 0 || list[2].Compare(list[0]) < 0 {
			t.Fatalf("no order: %v", list)
		}
	})
}

// Tags are compared between processes and versions: these never change.
func TestTagIsFixed(t *testing.T) {
	t.Parallel()
	created := time.Unix(1_700_000_000, 123_456_789)
	for _, tt := range []struct {
		seq    uint64
		stored time.Time
		want   string
	}{
		{0, time.Time{}, "cGRQ"},
		{1, created.Add(time.Second), "vzdV"},
		{1, created.Add(time.Second + 1), "8H2U"},
		{2, created.Add(time.Second), "zL_u"},
	} {
		if got := backplane.NewTag(created, tt.seq, tt.stored).String(); got != tt.want {
			t.Errorf("tag of %d is %s, want %s", tt.seq, got, tt.want)
		}
	}
}

// A log that is made again or grows again has other tags nearly always: each
// of the three inputs alone changes a tag with a probability near 1 - 2^-24.
func TestTagsDiffer(t *testing.T) {
	t.Parallel()
	base := time.Unix(1_700_000_000, 0)
	seen := make(map[backplane.Tag]bool)
	const n = 3000
	for i := range n {
		d := time.Duration(i) * time.Millisecond
		seen[backplane.NewTag(base.Add(d), 5, base)] = true
		seen[backplane.NewTag(base, 5, base.Add(d+1))] = true
		seen[backplane.NewTag(base, uint64(i+6), base)] = true
	}
	if len(seen) < 3*n-20 { // about 2.4 collisions are expected in 9,000 of 16.8 million
		t.Errorf("%d tags of %d differ", len(seen), 3*n)
	}
	local := base.In(time.FixedZone("", 7200))
	if backplane.NewTag(local, 1, local) != backplane.NewTag(base, 1, base) {
		t.Error("the zone of a time changes the tag")
	}
}

func TestOffsetAllocs(t *testing.T) {
	o := direct(1<<40, "AAAA", 1<<31)
	buf := make([]byte, 0, backplane.MaxOffset)
	if n := testing.AllocsPerRun(100, func() {
		o.Tag = backplane.NewTag(time.Unix(1, 1), o.Seq, time.Unix(2, 2))
		buf = o.Append(buf[:0])
		if _, ok := backplane.ParseOffset(buf); !ok {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
