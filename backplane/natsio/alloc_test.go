//go:build !race

package natsio

import (
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
)

// TestAllocs: what Publish does before the client takes the bytes, and what the
// receiver does with the number of a message, allocate nothing.
func TestAllocs(t *testing.T) {
	space, err := subject.New("c")
	if err != nil {
		t.Fatal(err)
	}
	b := &Backplane{id: "a"}
	o := &b.out
	o.init(64)
	room := backplane.Room("/", "r")
	env := &backplane.Envelope{Kind: backplane.KindEvent, Origin: "a", ID: 1, Namespace: "/", Data: make([]byte, 100)}
	var in counts
	in.begin(1, 0)
	if n := testing.AllocsPerRun(100, func() {
		if err := b.check(room.CheckPublish(), room, env); err != nil {
			t.Fatal(err)
		}
		p, err := o.place(space, room)
		if err != nil {
			t.Fatal(err)
		}
		o.encode(p, env, b.from(env.Origin))
		o.touch(p)
		if gap := in.of(1).advance(p.last, false); !gap.IsZero() {
			t.Fatal(gap)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	m, err := wire.Decode(o.buf, backplane.Limits{})
	if err != nil || m.Counter == 0 || m.ID != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}
