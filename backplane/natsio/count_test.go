package natsio

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

func life(l, n uint64) uint64 { return l<<lifeBits | n }

func TestCountAdvance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		last, n  uint64
		baseline bool
		want     backplane.Gap
		then     uint64
	}{
		{"next", 7, 8, false, backplane.Gap{}, 8},
		{"one missing", 7, 9, false, backplane.Gap{Lost: 1}, 9},
		{"many missing", 1, 1000, false, backplane.Gap{Lost: 998}, 1000},
		{"begins again", 7, 1, true, backplane.Gap{}, 1},
		{"begins again unsaid", 7, 1, false, backplane.Gap{Unknown: true}, 1},
		{"the same again", 7, 7, false, backplane.Gap{Unknown: true}, 7},
		{"next life", 7, life(3, 1), true, backplane.Gap{}, life(3, 1)},
		{"next life, its first lost", 7, life(3, 5), false, backplane.Gap{Lost: 4}, life(3, 5)},
		{"same later life", life(3, 5), life(3, 8), false, backplane.Gap{Lost: 2}, life(3, 8)},
		{"straggler", life(3, 5), life(2, 100), false, backplane.Gap{}, life(3, 5)},
		{"out of a full life", life(1, 0) - 1, life(1, 0), false, backplane.Gap{}, life(1, 0)},
	} {
		c := count{last: tt.last}
		if got := c.advance(tt.n, tt.baseline); got != tt.want || c.last != tt.then {
			t.Errorf("%s: %+v at %#x, want %+v at %#x", tt.name, got, c.last, tt.want, tt.then)
		}
	}
}

func TestCountReached(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		last, n uint64
		want    uint64
	}{
		{"nothing missing", 7, 7, 0},
		{"an old digest", 7, 5, 0},
		{"the end is missing", 7, 10, 3},
		{"a whole life is missing", 7, life(1, 4), 4},
		{"a life that is over", life(1, 4), 9, 0},
	} {
		c := count{last: tt.last}
		if got := c.reached(tt.n); got != (backplane.Gap{Lost: tt.want}) {
			t.Errorf("%s: %+v, want %d lost", tt.name, got, tt.want)
		}
		if c.reached(tt.n).Lost != 0 {
			t.Errorf("%s: told twice", tt.name)
		}
	}
}

func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	var cs counts
	for i := range uint64(3 * maxSenders) {
		cs.begin(i, 1+i)
	}
	if len(cs) != maxSenders {
		t.Errorf("%d senders are counted", len(cs))
	}
	if c := cs.of(3*maxSenders - 1); c == nil || c.last != 3*maxSenders {
		t.Errorf("the newest one is %+v", c)
	}
}

// TestLossesAreCounted publishes and loses at random, and compares what a
// receiver finds with what it missed. The sender forgets addresses all the
// time.
func TestLossesAreCounted(t *testing.T) {
	t.Parallel()
	space, err := subject.New("c")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		const rooms = 5
		var o outbox
		o.init(rapid.IntRange(1, rooms+1).Draw(t, "remembered"))
		var (
			in           [rooms]counts
			missed, told [rooms]uint64
			places       = make(map[uint64]int)
		)
		get := func(room int, n uint64, baseline bool) {
			if c := in[room].of(1); c != nil {
				g := c.advance(n, baseline)
				if g.Unknown {
					t.Fatalf("room %d: message %#x is not understood", room, n)
				}
				told[room] += g.Lost
			} else {
				in[room].begin(1, n)
				missed[room] = 0 // cannot be known
			}
		}
		publish := func(room int, lost bool) {
			p, err := o.place(space, backplane.Room("/", fmt.Sprint(room)))
			if err != nil {
				t.Fatal(err)
			}
			places[p.hash] = room
			n, baseline := o.number(p)
			o.touch(p)
			if lost {
				missed[room]++
			} else {
				get(room, n, baseline)
			}
		}
		tick := func() {
			for _, tl := range o.cooled() {
				room := places[tl.hash]
				if c := in[room].of(1); c != nil {
					told[room] += c.reached(tl.n).Lost
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				publish(rapid.IntRange(0, rooms-1).Draw(t, "room"), rapid.Bool().Draw(t, "lost"))
			},
			"tick": func(*rapid.T) { tick() },
			"": func(t *rapid.T) {
				for room := range rooms {
					if told[room] > missed[room] {
						t.Fatalf("room %d: %d told, %d missed", room, told[room], missed[room])
					}
				}
			},
		})
		tick()
		tick()
		if o.life > 0 {
			return // a life may have ended in losses of which its digest came too late
		}
		for room := range rooms {
			if in[room] != nil && told[room] != missed[room] {
				t.Fatalf("room %d: %d told, %d missed", room, told[room], missed[room])
			}
		}
	})
}

// TestOutboxIsBounded: as many addresses are remembered as allowed, those used
// last.
func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	space, err := subject.New("c")
	if err != nil {
		t.Fatal(err)
	}
	const most = 64
	var o outbox
	o.init(most)
	use := func(i int) *outPlace {
		p, err := o.place(space, backplane.Room("/", fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		o.number(p)
		if len(o.places) > most {
			t.Fatalf("%d addresses are remembered", len(o.places))
		}
		return p
	}
	for i := range 1000 {
		use(0) // always among the newest
		use(1 + i)
	}
	if p := use(0); p.last != 1001 {
		t.Errorf("the address used all the time was forgotten: it is at %#x", p.last)
	}
	if p := use(1); lifeOf(p.last) != o.life || withinOf(p.last) != 1 {
		t.Errorf("a forgotten address begins at %#x in life %d", p.last, o.life)
	}
	n := 0
	for p := o.newest; p != nil; p = p.older {
		if n++; p.older == nil && p != o.oldest || p.older != nil && p.older.newer != p {
			t.Fatal("the list is broken")
		}
	}
	if n != len(o.places) {
		t.Errorf("%d in the list, %d in the map", n, len(o.places))
	}
}
