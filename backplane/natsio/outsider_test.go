package natsio_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
)

// outsider speaks to the server without a Backplane, as another program would.
type outsider struct {
	t     *testing.T
	nc    *nats.Conn
	space subject.Space
}

func (c *cluster) outsider(t *testing.T) *outsider {
	t.Helper()
	nc, err := nats.Connect("", append(c.server[0].NodeOptions(), nats.InProcessServer(c.server[0]))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	space, err := subject.New("siod")
	if err != nil {
		t.Fatal(err)
	}
	return &outsider{t, nc, space}
}

// send publishes bytes on the subject of an address.
func (o *outsider) send(to backplane.Address, data []byte) {
	o.t.Helper()
	subj, err := o.space.Fast(to)
	if err != nil {
		o.t.Fatal(err)
	}
	o.raw(subj, "", data)
}

func (o *outsider) raw(subj, reply string, data []byte) {
	o.t.Helper()
	if err := o.nc.PublishMsg(&nats.Msg{Subject: subj, Reply: reply, Data: data}); err != nil {
		o.t.Fatal(err)
	}
}

// event encodes an event of a sender in a namespace.
func foreign(origin, namespace string, id, counter uint64) []byte {
	m := wire.Message{Counter: counter}
	m.Kind, m.Origin, m.Namespace, m.ID = backplane.KindEvent, origin, namespace, id
	return m.Append(nil)
}

// TestOutsiders: what other programs send is delivered if it is sound, and
// counted if not.
func TestOutsiders(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, o := c.join(t, "a"), c.outsider(t)
	in := newInbox()
	room := backplane.Room("/", "r")
	subscribe(t, a, room, in.handle)
	subscribe(t, a, backplane.Namespace(backplane.AnyNamespace), in.handle)
	c.meet(t)

	o.send(room, foreign("emitter", "/", 1, 1))
	o.send(room, foreign("emitter", "/", 2, 4)) // 2 lost
	o.send(room, foreign("", "/", 3, 9))        // nobody to count it for
	o.send(room, foreign("", "/", 4, 12))
	o.send(room, foreign("emitter", "/", 5, 0)) // not counted
	o.send(room, foreign("emitter", "/", 6, 5))

	o.send(room, foreign("emitter", "/other", 7, 6))                           // claims another namespace
	o.send(backplane.Namespace("/secret"), foreign("emitter", "/", 8, 1))      // so does this
	o.send(room, []byte{})                                                     // nothing
	o.send(room, []byte{wire.Version, 0xff})                                   // nonsense
	o.send(room, append([]byte{wire.Version + 1}, foreign("e", "/", 9, 1)...)) // from the future
	big := wire.Message{}                                                      // over a limit
	big.Kind, big.Namespace, big.Data = backplane.KindEvent, "/", make([]byte, backplane.DefaultPayload+1)
	o.send(room, big.Append(nil))

	o.send(backplane.Namespace("/secret"), foreign("emitter", "/secret", 10, 2))
	got := in.until(t, func(got []backplane.Delivery) bool {
		return len(got) > 0 && got[len(got)-1].Envelope.ID == 10
	})
	var ids []uint64
	for _, d := range got {
		ids = append(ids, d.Envelope.ID)
		if want := d.Envelope.ID == 2; (d.Gap == backplane.Gap{Lost: 2}) != want || !want && !d.Gap.IsZero() {
			t.Errorf("%d came with %+v", d.Envelope.ID, d.Gap)
		}
		if d.To.Namespace != d.Envelope.Namespace {
			t.Errorf("%d of %q came to %s", d.Envelope.ID, d.Envelope.Namespace, d.To)
		}
	}
	if want := []uint64{1, 2, 3, 4, 5, 6, 10}; !equal(ids, want) {
		t.Errorf("%v came, want %v", ids, want)
	}
	if s := a.Stats(); s.Forged != 2 || s.Malformed != 3 || s.Versions != 1 || s.Delivered != 7 {
		t.Errorf("figures %+v", s)
	}
}

// TestForgedCounters: who writes a node's name into an event falsifies what is
// counted for the node there, and nothing else: what the node says still comes.
func TestForgedCounters(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b, o := c.join(t, "a"), c.join(t, "b"), c.outsider(t)
	in := newInbox()
	room := backplane.Room("/", "r")
	subscribe(t, b, room, in.handle)
	c.meet(t)
	publish(t, a, room, 1)
	publish(t, a, room, 2)
	in.until(t, func(got []backplane.Delivery) bool { return len(got) == 2 })
	o.send(room, foreign("a", "/", 1, 1<<60))
	in.until(t, func(got []backplane.Delivery) bool { return len(got) == 3 })
	publish(t, a, room, 3)
	got := in.until(t, func(got []backplane.Delivery) bool { return len(got) == 4 })
	if d := got[3]; d.Envelope == nil || d.Envelope.ID != 3 || d.Envelope.Origin != "a" {
		t.Errorf("behind a forged number came %+v", d.Envelope)
	}
	if s := b.Stats(); s.Delivered != 4 {
		t.Errorf("figures %+v", s)
	}
	c.meet(t) // and both are heard as before
}

func equal(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestReplySubject: a node replies to inboxes only, since elsewhere it would
// speak with its own permissions for somebody who lacks them, and to those of nodes
// only where nodes alone ask.
func TestReplySubject(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, o := c.join(t, "a"), c.outsider(t)
	in := newInbox()
	subscribe(t, a, backplane.Requests(backplane.AnyNamespace), in.handle)
	subscribe(t, a, backplane.Gateway(backplane.AnyNamespace), in.handle)
	subscribe(t, a, backplane.Namespace(backplane.AnyNamespace), in.handle)
	c.meet(t)
	for _, tt := range []struct {
		reply          string
		asked, gateway bool
	}{
		{"_INBOX_emit.x.1", true, true},
		{"_INBOX.x", true, true},
		{"_INBOX_node.px.r.1", true, false},
		{"", false, false},
		{"$JS.API.STREAM.DELETE.x", false, false},
		{"sio.siod.n.pa", false, false},
	} {
		for at, want := range map[string]bool{"sio.siod.q.n": tt.asked, "sio.siod.g.n": tt.gateway, "sio.siod.f.n.all": false} {
			o.raw(at, tt.reply, foreign("e", "/", 1, 0))
			got := in.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
			if (got[0].Reply != nil) != want {
				t.Errorf("reply to %q, asked at %s: %v, want %v", tt.reply, at, got[0].Reply != nil, want)
			}
			in.mu.Lock()
			in.got = nil
			in.mu.Unlock()
		}
	}
}

// TestMissedBeat: when a beat or digest of a peer is missing, messages may be
// missing too, and the node is told.
func TestMissedBeat(t *testing.T) {
	t.Parallel()
	beat := func(n, digests byte) []byte {
		m := wire.Message{Sender: "x", Counter: uint64(n), Baseline: n == 1}
		m.Data = []byte{digests, 0}
		return m.Append(nil)
	}
	digest := func(n byte) []byte {
		m := wire.Message{Sender: "x", Counter: uint64(n)}
		return m.Append(nil)
	}
	for _, tt := range []struct {
		name string
		send func(beats, digests func([]byte))
		told bool
	}{
		{"none missing", func(b, d func([]byte)) { b(beat(1, 0)); d(digest(1)); b(beat(2, 1)); b(beat(3, 1)) }, false},
		{"a newcomer to us", func(b, d func([]byte)) { b(beat(77, 12)); b(beat(78, 12)) }, false},
		{"a beat", func(b, d func([]byte)) { b(beat(1, 0)); b(beat(3, 0)) }, true},
		{"a digest", func(b, d func([]byte)) { b(beat(1, 0)); b(beat(2, 1)) }, true},
		{"it began again", func(b, d func([]byte)) { b(beat(9, 4)); b(beat(1, 0)) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			a, o := c.join(t, "a"), c.outsider(t)
			self := newInbox()
			subscribe(t, a, backplane.Node("a"), self.handle)
			tt.send(
				func(data []byte) { o.raw(o.space.Beat("x"), "", data) },
				func(data []byte) { o.raw(o.space.Digest("x"), "", data) },
			)
			// A notice is given by the goroutine that takes the canary, at the
			// latest before the second of them.
			if err := o.nc.FlushTimeout(wait); err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return a.Heard("x") })
			for range 2 {
				if err := a.Healthy(waiting(t)); err != nil {
					t.Fatal(err)
				}
			}
			if tt.told {
				self.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
			}
			got := self.until(t, func([]backplane.Delivery) bool { return true })
			for _, d := range got {
				if !tt.told || d.Gap != (backplane.Gap{Unknown: true}) || d.To != (backplane.Address{}) || d.Envelope != nil {
					t.Errorf("told: %+v", d)
				}
			}
		})
	}
}

// TestForgedBeat: a beat in another's name makes nobody a peer.
func TestForgedBeat(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, o := c.join(t, "a"), c.outsider(t)
	m := wire.Message{Sender: "x", Counter: 1, Baseline: true}
	m.Data = []byte{0, 0}
	o.raw(o.space.Beat("y"), "", m.Append(nil))
	o.raw(o.space.Digest("y"), "", m.Append(nil))
	until(t, func() bool { return a.Stats().Forged == 2 })
	if a.Heard("x") || a.Heard("y") {
		t.Error("somebody is heard")
	}
}

// TestAnswersNewcomer: a node beats at once when it hears of another one, which
// need not wait for the next beat.
func TestAnswersNewcomer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := c.join(t, "a", func(cfg *natsio.Config) { cfg.Beat = time.Hour })
	o := c.outsider(t)
	beats, err := o.nc.SubscribeSync(o.space.Beat("a"))
	if err != nil {
		t.Fatal(err)
	}
	m := wire.Message{Sender: "x", Counter: 1, Baseline: true}
	m.Data = []byte{0, 0}
	o.raw(o.space.Beat("x"), "", m.Append(nil))
	msg, err := beats.NextMsg(wait)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wire.Decode(msg.Data, backplane.Limits{}); err != nil || got.From() != a.ID() {
		t.Errorf("%+v, %v", got, err)
	}
}
