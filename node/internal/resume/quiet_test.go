package resume

import (
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

// lineage is a log of which nodes have rings: entry n is for the rooms that is
// says.
type lineage struct {
	life  int64
	rooms func(seq uint64) backplane.Target
}

func (l lineage) position(seq uint64) backplane.Position {
	return backplane.Position{Seq: seq, Tag: backplane.NewTag(time.Unix(0, 0), seq, time.Unix(int64(seq), l.life))}
}

// ring is that of a node that has entries in (base, newest].
func (l lineage) ring(base, newest uint64) *Ring {
	r := new(Ring)
	r.Jump(l.position(0))
	for seq := uint64(1); seq <= newest; seq++ {
		env := &backplane.Envelope{Kind: backplane.KindEvent, Namespace: "/", Target: l.rooms(seq)}
		r.Add(NewEntry(backplane.Entry{Position: l.position(seq), Stored: time.Unix(int64(seq), l.life), Envelope: env}))
	}
	r.TrimTo(base, 1<<30)
	return r
}

var wide = Limits{SessionEvents: 256, SessionBytes: 1 << 20, ReplayEvents: 10_000, ReplayBytes: 1 << 20}

// mine has entry 90 for the session, and no other up to 200.
func mine(seq uint64) backplane.Target {
	if seq == 90 {
		return backplane.Target{Rooms: []string{"sid"}}
	}
	return backplane.Target{Rooms: []string{"theirs"}}
}

// moved is the session as another node gets it from one that is at 200.
func moved(t *testing.T, l lineage) *History {
	t.Helper()
	h := New("/", "sid", 0, backplane.Offset{})
	h.Begin(80)
	h, ok := Restore(h.Kept(l.ring(150, 200), l.position(200)))
	if !ok {
		t.Fatal("not restored")
	}
	return h
}

// What another node knew holds only where this one has been, too: else rooms that
// the session joins here would begin below it, and what they bring be overlooked.
func TestQuietElsewhere(t *testing.T) {
	t.Parallel()
	l := lineage{rooms: mine}
	// The other node's ring did not reach back to 90, but it had seen it go.
	before := func() *History {
		h := New("/", "sid", 0, backplane.Offset{})
		h.Begin(80)
		h.Settle(l.ring(0, 200), 150)
		h, ok := Restore(h.Kept(l.ring(150, 200), l.position(200)))
		if !ok {
			t.Fatal("not restored")
		}
		return h
	}
	claim := Claim{Offset: backplane.Offset{Position: l.position(90)}, Given: true}
	h := before()
	if h.High() < 200 {
		t.Errorf("a node that is at %d may continue it", h.High())
	}
	if _, v := h.Judge(l.ring(180, 220), claim, wide); v != Resumable {
		t.Errorf("a node behind 200: %v", v)
	}
	if _, v := before().Judge(l.ring(205, 220), claim, wide); v != Trimmed {
		t.Errorf("a node that begins behind what was known: %v", v)
	}
	if _, v := before().Judge(lineage{life: 1, rooms: mine}.ring(180, 220), claim, wide); v != Trimmed {
		t.Errorf("in another life of the log: %v", v)
	}
	young := new(Ring)
	young.Jump(l.position(180))
	for _, e := range l.ring(180, 220).entries {
		young.Add(e)
	}
	if _, v := before().Judge(young, claim, wide); v != Resumable {
		t.Errorf("a node that was started at 180: %v", v)
	}
	broken := l.ring(0, 200)
	broken.floor = 100
	h = New("/", "sid", 0, backplane.Offset{})
	h.Begin(80)
	h.Settle(broken, 150)
	h, _ = Restore(h.Kept(broken, l.position(200)))
	if _, v := h.Judge(young, claim, wide); v != Trimmed {
		t.Errorf("across a break that only the other node knew: %v", v)
	}
	if _, v := moved(t, l).Judge(l.ring(180, 220), claim, wide); v == Resumable {
		t.Errorf("from a node that never saw 90: %v", v)
	}
}

// A membership that is forgotten as an exception does not make an entry the
// session's that was not.
func TestQuietForgotten(t *testing.T) {
	t.Parallel()
	l := lineage{rooms: func(seq uint64) backplane.Target {
		switch seq {
		case 50:
			return backplane.Target{Rooms: []string{"sid"}}
		case 100:
			return backplane.Target{Rooms: []string{"a"}, Except: []string{"b"}}
		}
		return backplane.Target{Rooms: []string{"theirs"}}
	}}
	h := New("/", "sid", 0, backplane.Offset{})
	h.Begin(0)
	h.Join("a", 0)
	h.Join("b", 5)
	full := l.ring(0, 200)
	h.Leave("b", 110, 0)
	h.Settle(full, 150)
	for i := range uint64(MaxPast) { // one more is too many
		h.Join("c", 150+i)
		h.Leave("c", 151+i, 150)
	}
	if h.forgotten != 110 {
		t.Fatalf("forgotten up to %d", h.forgotten)
	}
	h, ok := Restore(h.Kept(l.ring(150, 200), l.position(200)))
	if !ok {
		t.Fatal("not restored")
	}
	r := l.ring(20, 600)
	from, v := h.Judge(r, Claim{Offset: backplane.Offset{Position: l.position(50)}, Given: true}, wide)
	if v != Resumable {
		t.Fatal(v)
	}
	steps, v := h.Replay(r, h.Span(from), 600, nil, wide)
	if v != Resumable || len(steps) > 0 {
		t.Errorf("%v, and %d events of which none is its own", v, len(steps))
	}
}
