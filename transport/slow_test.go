package transport

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// slow opens a session whose connection holds little.
func slow(t *testing.T, s *server) (*wsClient, *Session) {
	t.Helper()
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	x := s.app.session(t)
	shrink(t, x)
	return c, x
}

func shrink(t *testing.T, x *Session) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.conn.nc.(*net.TCPConn).SetWriteBuffer(4096); err != nil {
		t.Fatal(err)
	}
}

// A volatile message is taken exactly when it need not wait.
func TestVolatile(t *testing.T) {
	t.Parallel()
	s := start(t, Config{WriteTimeout: time.Hour, MaxPayload: 1 << 26})
	c, x := slow(t, s)
	volatile := func() bool { return x.Send(msg("volatile"), 0, true) }
	if !volatile() {
		t.Error("dropped on an idle connection")
	}
	c.expect("4volatile")
	n := 0
	for x.Send(msg("%d%s", n, strings.Repeat("x", 32<<10)), 0, true) { // the last one breaks off, and is finished
		n++
		if n > 10_000 {
			t.Fatal("never full")
		}
	}
	if st := s.engine.Stats(); st.VolatileDropped != 1 || st.SlowConsumers != 0 {
		t.Errorf("%+v", st)
	}
	x.Send(NewText(make([]byte, 1<<20)), 0, false) // more than fits, whatever the client's kernel takes
	if volatile() {
		t.Error("taken although a message waits")
	}
	x.shard.Post(Cast{Message: msg("volatile"), To: recipients(x), Volatile: true})
	eventually(t, "the cast", x.shard.idle)
	if st := s.engine.Stats(); st.VolatileDropped != 3 {
		t.Errorf("%d dropped", st.VolatileDropped)
	}
	for i := range n {
		c.expect(fmt.Sprintf("4%d%s", i, strings.Repeat("x", 32<<10)))
	}
	if m, err := c.next(); err != nil || len(m.Data) != 1+1<<20 {
		t.Fatalf("%d bytes, %v", len(m.Data), err)
	}
	eventually(t, "the connection to be idle", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return x.canWrite() })
	if !volatile() {
		t.Error("dropped after the connection has become idle again")
	}
	c.expect("4volatile")
}

// Of several volatile messages joined into one write, those that the kernel did
// not take a byte of are dropped.
func TestVolatileJoined(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Shards: 1, WriteTimeout: time.Hour, Queue: Queue{MaxBytes: 1 << 30}})
	c, x := slow(t, s)
	hc := s.dial("EIO=4&transport=websocket")
	hc.opens()
	h := s.app.session(t)
	release := hold(t, x.shard, h)
	const n = 60
	big := strings.Repeat("x", 100<<10)
	to := recipients(x)
	for i := range n {
		x.shard.Post(Cast{Message: msg("%02d%s", i, big), To: to, Volatile: i%2 == 0})
	}
	release()
	eventually(t, "the pass to end", x.shard.idle)
	var got []int
	for len(got) == 0 || got[len(got)-1] != n-1 {
		m, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscanf(string(m.Data[1:3]), "%d", &i); err != nil || len(m.Data) != 3+len(big) {
			t.Fatalf("%.10q, %d bytes", m.Data, len(m.Data))
		}
		got = append(got, i)
	}
	dropped := int(s.engine.Stats().VolatileDropped)
	if dropped == 0 || dropped >= n/2 || len(got) != n-dropped {
		t.Errorf("%d dropped, %d received of %d", dropped, len(got), n)
	}
	odd := 0
	for i, v := range got {
		if i > 0 && v <= got[i-1] {
			t.Errorf("order: %d", got)
		}
		odd += v % 2
	}
	if odd != n/2 {
		t.Errorf("%d of %d that were to be kept", odd, n/2)
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 10<<10)
	t.Run("disconnect, bytes", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{WriteTimeout: time.Hour, Queue: Queue{MaxBytes: 100 << 10}})
		c, x := slow(t, s)
		n := 0
		for x.Send(msg("%s", big), 0, false) {
			n++
		}
		s.app.ends(t, ReasonSlowConsumer)
		if st := s.engine.Stats(); st.SlowConsumers != 1 || st.Unsent == 0 || st.Unsent > 10 || s.engine.Len() != 0 {
			t.Errorf("%+v", st)
		}
		for {
			if _, err := c.next(); err != nil {
				break
			}
		}
	})
	t.Run("disconnect, messages, by the shard", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{WriteTimeout: time.Hour, Queue: Queue{MaxMessages: 10, MaxBytes: 1 << 30}})
		_, x := slow(t, s)
		fillSocket(t, x)
		to := recipients(x)
		for range 11 {
			x.shard.Post(Cast{Message: msg("x"), To: to})
		}
		s.app.ends(t, ReasonSlowConsumer)
	})
	t.Run("disconnect, polling", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{Queue: Queue{MaxMessages: 10}})
		p := s.openPolling("EIO=4")
		x := p.session()
		for range 10 {
			if !x.Send(msg("x"), 0, false) {
				t.Fatal("not taken")
			}
		}
		if x.Send(msg("x"), 0, false) {
			t.Error("taken")
		}
		s.app.ends(t, ReasonSlowConsumer)
		p.gone()
		if st := s.engine.Stats(); st.Unsent != 11 {
			t.Errorf("%d unsent", st.Unsent)
		}
	})
	t.Run("drop oldest", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{Queue: Queue{MaxMessages: 10, Policy: PolicyDropOldest}})
		p := s.openPolling("EIO=4")
		x := p.session()
		for i := range 25 {
			x.Send(msg("%d", i), 0, false)
		}
		want := "415"
		for i := 16; i < 25; i++ {
			want += fmt.Sprintf("\x1e4%d", i)
		}
		p.polls(want)
		if st := s.engine.Stats(); st.OldestDropped != 15 {
			t.Errorf("%d dropped", st.OldestDropped)
		}
		x.SetPolicy(PolicyDisconnect)
		for range 11 {
			x.Send(msg("x"), 0, false)
		}
		s.app.ends(t, ReasonSlowConsumer)
	})
	t.Run("one message above all bounds", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{Queue: Queue{MaxBytes: 1000}})
		p := s.openPolling("EIO=4")
		p.session().Send(msg("%s", big), 0, false)
		p.polls("4" + big)
	})
	t.Run("a replay is not charged", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{Queue: Queue{MaxMessages: 10}})
		p := s.openPolling("EIO=4&t=Q84h1ly")
		x := p.session()
		var replay []*Message
		want := ""
		for i := range 50 {
			replay = append(replay, msg("%d", i))
			want += fmt.Sprintf("4%d\x1e", i)
		}
		x.SendReplay(replay, 0)
		for range 10 {
			if !x.Send(msg("x"), 0, false) {
				t.Fatal("not taken")
			}
		}
		p.polls(want + strings.Repeat("4x\x1e", 9) + "4x")
	})
}

// While messages with a key wait, only the latest of each key stays.
func TestConflation(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	x.SendLatest(msg("a1"), 0, false, "a")
	x.Send(msg("plain"), 0, false)
	x.SendLatest(msg("b1"), 0, false, "b")
	x.SendLatest(msg("a2"), 0, false, "a")
	x.shard.Post(Cast{Message: msg("b2"), To: recipients(x), Key: "b"})
	x.shard.Post(Cast{Message: msg("a3"), Solo: Recipient{Session: x}, Key: "a"})
	eventually(t, "the casts", x.shard.idle)
	p.polls("4plain\x1e4b2\x1e4a3")
	if st := s.engine.Stats(); st.Conflated != 3 {
		t.Errorf("%d conflated", st.Conflated)
	}
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	y := s.app.session(t)
	for i := range 3 { // nothing waits, so everything goes out
		y.SendLatest(msg("%d", i), 0, false, "k")
		c.expect(fmt.Sprintf("4%d", i))
	}
}

// SendStamped takes its place among the casts, with the position at that place.
func TestStamped(t *testing.T) {
	t.Parallel()
	_, clients, xs, h := crowd(t, 1, Config{}, "EIO=4")
	x, sh, c := xs[0], h.shard, clients[0]
	to := recipients(x)
	stamped := func() bool {
		return x.SendStamped(0, func(p uint64) *Message { return msg("at %d", p) })
	}
	if !stamped() {
		t.Error("not taken")
	}
	c.expect("4at 0")
	release := hold(t, sh, h)
	sh.Post(Cast{Message: msg("7"), To: to, Position: 7})
	stamped()
	sh.Post(Cast{Message: msg("8"), To: to, Position: 8})
	sh.Advance(9)
	stamped()
	sh.Post(Cast{Message: msg("none"), To: to})
	stamped()
	if d := cmp.Diff(uint64(9), sh.Position()); d != "" {
		t.Error(d)
	}
	release()
	for _, want := range []string{"7", "at 7", "8", "at 9", "none", "at 9"} {
		c.expect("4" + want)
	}
	x.Abort("")
	called := false
	if x.SendStamped(0, func(uint64) *Message { called = true; return msg("x") }) || !called {
		t.Error("taken by a session that has ended, or not stamped")
	}
}
