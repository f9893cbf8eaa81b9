package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
)

// hold keeps the shard's writer from beginning with what is posted until
// release is called, so that all of it is one pass.
func hold(t *testing.T, sh *Shard, x *Session) (release func()) {
	t.Helper()
	x.mu.Lock()
	sh.Post(Cast{Message: NewText([]byte("hold")), Solo: Recipient{Session: x}})
	eventually(t, "the writer to be held", func() bool { return sh.depth() == 0 })
	return x.mu.Unlock
}

// crowd is a number of WebSocket sessions on one shard, and one more to hold
// the writer by.
func crowd(t *testing.T, n int, cfg Config, query string) (*server, []*wsClient, []*Session, *Session) {
	t.Helper()
	cfg.Shards = 1
	s := start(t, cfg)
	clients, sessions := make([]*wsClient, n), make([]*Session, n)
	for i := range n {
		clients[i] = s.dial(query + "&transport=websocket")
		clients[i].opens()
		sessions[i] = s.app.session(t)
	}
	h := s.dial("EIO=4&transport=websocket")
	h.opens()
	return s, clients, sessions, s.app.session(t)
}

func recipients(xs ...*Session) []Recipient {
	to := make([]Recipient, len(xs))
	for i, x := range xs {
		to[i].Session = x
	}
	return to
}

func msg(format string, args ...any) *Message { return NewText(fmt.Appendf(nil, format, args...)) }

// Casts for one set leave in one write for each session, byte for byte what they
// would have been one by one.
func TestJoinedFrames(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"EIO=4", "EIO=3", "EIO=3&b64=1"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			s, clients, xs, h := crowd(t, 3, Config{}, query)
			sh := h.shard
			to := recipients(xs...)
			release := hold(t, sh, h)
			var want []byte
			for i := range 20 {
				m := NewMessage(protocol.Frames{Text: []byte(strings.Repeat("x", i*50)), Binary: [][]byte{{byte(i)}}}, nil)
				want = append(want, m.bytes(0, xs[0].conn.wire, 1024)...)
				sh.Post(Cast{Message: m, To: to})
			}
			before := s.engine.Stats()
			release()
			for _, c := range clients {
				got := make([]byte, len(want))
				_ = c.conn.SetReadDeadline(time.Now().Add(patience))
				for n := 0; n < len(got); {
					k, err := c.in.Read(got[n:])
					if err != nil {
						t.Fatal(err)
					}
					n += k
				}
				if !bytes.Equal(got, want) {
					t.Error("the bytes differ from those of single messages")
				}
			}
			eventually(t, "the pass to end", sh.idle)
			st := s.engine.Stats()
			if w := st.Writes - before.Writes; w != 4 { // one for each, and the holder's
				t.Errorf("%d writes for %d sessions", w, len(xs))
			}
			if d := st.Delivered - before.Delivered; d != 61 {
				t.Errorf("%d delivered", d)
			}
		})
	}
}

// Several sets, exceptions and single sessions in one pass: everybody gets what
// is meant for him, in the order of the casts, in one write.
func TestScatter(t *testing.T) {
	t.Parallel()
	s, clients, xs, h := crowd(t, 4, Config{}, "EIO=4")
	sh := h.shard
	all, odd := recipients(xs...), recipients(xs[1], xs[3])
	for _, c := range []struct {
		name  string
		casts []Cast
		want  [][]string
	}{
		{"sets", []Cast{
			{Message: msg("1"), To: all}, {Message: msg("2"), To: odd}, {Message: msg("3"), Solo: Recipient{Session: xs[0]}},
			{Message: msg("4"), To: all, Except: xs[3]}, {Message: msg("5"), To: odd}, {Message: msg("6"), Solo: Recipient{Session: xs[3]}},
		}, [][]string{{"1", "3", "4"}, {"1", "2", "4", "5"}, {"1", "4"}, {"1", "2", "5", "6"}}},
		{"one set with exceptions", []Cast{
			{Message: msg("1"), To: all}, {Message: msg("2"), To: all, Except: xs[0]}, {Message: msg("3"), To: all, Except: xs[1]}, {Message: msg("4"), To: all},
		}, [][]string{{"1", "3", "4"}, {"1", "2", "4"}, {"1", "2", "3", "4"}, {"1", "2", "3", "4"}}},
		{"one session", []Cast{
			{Message: msg("1"), Solo: Recipient{Session: xs[2]}}, {Message: msg("2"), Solo: Recipient{Session: xs[2]}},
		}, [][]string{nil, nil, {"1", "2"}, nil}},
		{"nobody", []Cast{
			{Message: msg("1"), To: []Recipient{}}, {To: all}, {Message: msg("2")}, {Message: msg("3"), To: recipients(xs[0]), Except: xs[0]},
		}, [][]string{nil, nil, nil, nil}},
	} {
		release := hold(t, sh, h)
		for _, x := range c.casts {
			sh.Post(x)
		}
		before := s.engine.Stats()
		release()
		eventually(t, "the pass to end", sh.idle)
		writes := uint64(1)
		for i, want := range c.want {
			for _, m := range want {
				clients[i].expect("4" + m)
			}
			if want != nil {
				writes++
			}
		}
		if w := s.engine.Stats().Writes - before.Writes; w != writes {
			t.Errorf("%s: %d writes, want %d", c.name, w, writes)
		}
	}
	for i, x := range xs { // and nothing else
		x.Send(msg("end"), 0, false)
		clients[i].expect("4end")
	}
}

// Forms and wires of one pass are kept apart.
func TestMixedCrowd(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Shards: 1})
	var xs []*Session
	var clients []*wsClient
	for _, query := range []string{"EIO=4", "EIO=3", "EIO=3&b64=1"} {
		c := s.dial(query + "&transport=websocket")
		c.opens()
		clients, xs = append(clients, c), append(xs, s.app.session(t))
	}
	p := s.openPolling("EIO=4")
	xs = append(xs, p.session())
	to := recipients(xs...)
	to[0].Form = 2
	f := &forms{}
	for range 2 { // as one message and joined
		m := NewMessage(protocol.Frames{Text: []byte("t"), Binary: [][]byte{{9}}}, f)
		xs[0].shard.Post(Cast{Message: m, To: to})
	}
	for range 2 {
		clients[0].expect("4t2")
		wantBinary(t, clients[0], "\x09")
		clients[1].expect("4t")
		wantBinary(t, clients[1], "\x04\x09")
		clients[2].expect("4t")
		clients[2].expect("b4CQ==")
	}
	got := p.poll().body
	if got == "4t\x1ebCQ==" { // the passes may have been two
		got += "\x1e" + p.poll().body
	}
	if got != "4t\x1ebCQ==\x1e4t\x1ebCQ==" {
		t.Errorf("%q", got)
	}
}

func wantBinary(t *testing.T, c *wsClient, want string) {
	t.Helper()
	if m, err := c.next(); err != nil || m.Kind != wsframe.Binary || string(m.Data) != want {
		t.Fatalf("%v %q %v", m.Kind, m.Data, err)
	}
}

// A pass is cut where its bytes or its targets would take much memory, and
// nothing of it is lost at the cuts.
func TestLargePass(t *testing.T) {
	t.Parallel()
	_, clients, xs, h := crowd(t, 2, Config{Queue: Queue{MaxBytes: 1 << 30, MaxMessages: 1 << 20}}, "EIO=4")
	sh := h.shard
	to := recipients(xs...)
	release := hold(t, sh, h)
	big := strings.Repeat("x", 100<<10)
	const n = 20
	for i := range n {
		sh.Post(Cast{Message: msg("%d%s", i, big), To: to})
	}
	release()
	for _, c := range clients {
		for i := range n {
			c.expect(fmt.Sprintf("4%d%s", i, big))
		}
	}
	if got := portion(casts(100, to, 10<<10), true); got != 25 {
		t.Errorf("%d casts joined", got) // 25 × 10 KiB
	}
	many := make([]Recipient, 300_000)
	if got := portion(casts(100, many, 10), false); got != 3 {
		t.Errorf("%d casts noted at once", got)
	}
	if got := portion(casts(1, make([]Recipient, 3_000_000), 10), false); got != 1 {
		t.Errorf("%d", got)
	}
}

func casts(n int, to []Recipient, size int) []Cast {
	c := make([]Cast, n)
	for i := range c {
		c[i] = Cast{Message: NewText(make([]byte, size)), To: to}
	}
	return c
}

// The inbox is bounded: emitters wait, volatile casts are dropped and counted.
func TestInboxBound(t *testing.T) {
	t.Parallel()
	const most = 1000
	s, clients, xs, h := crowd(t, 1, Config{Queue: Queue{MaxMessages: 1 << 20, MaxBytes: 1 << 30}, Inbox: Inbox{MaxMessages: most}}, "EIO=4")
	sh := h.shard
	to := recipients(xs...)
	if err := sh.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	release := hold(t, sh, h)
	m := msg("x")
	for range most {
		sh.Post(Cast{Message: m, To: to})
	}
	sh.Post(Cast{Message: m, To: recipients(xs[0], h), Volatile: true})
	if xs[0].Send(m, 0, true) {
		t.Error("a volatile message was taken")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := sh.Wait(ctx); err != context.DeadlineExceeded {
		t.Errorf("%v", err)
	}
	waited := make(chan error)
	go func() { waited <- sh.Wait(context.Background()) }()
	if st := s.engine.Stats(); st.VolatileDropped != 3 || st.InboxDepth != most {
		t.Errorf("dropped %d, depth %d", st.VolatileDropped, st.InboxDepth)
	}
	release()
	if err := recv(t, waited, "Wait"); err != nil {
		t.Error(err)
	}
	for range most {
		clients[0].expect("4x")
	}
	if d := cmp.Diff(0, s.engine.Stats().InboxDepth); d != "" {
		t.Error(d)
	}
}

// Not every listener's connections are TCP: those of a Unix socket are written
// to directly, others through net.Conn.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	srv, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if c := newWSConn(srv, wireWS4, 1000); c.fd < 0 || c.raw == nil {
		t.Error("no raw writes")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if c := newWSConn(a, wireWS4, 1000); c.fd >= 0 || c.raw != nil {
		t.Error("raw writes on a connection without a descriptor")
	}
}

// A full inbox makes emitters wait until there is room again, whether the
// writer takes all of it or only what is for single sessions, or until the
// shard is closed (V22).
func TestWaitForRoom(t *testing.T) {
	t.Parallel()
	x, others := &Session{}, &Session{}
	messages, bytes := Inbox{MaxMessages: 100, MaxBytes: 1 << 30}, Inbox{MaxMessages: 1 << 30, MaxBytes: 100_000}
	fill := func(bounds Inbox) *Shard {
		sh := newShard(nil, 0, bounds)
		for !sh.crowded.Load() {
			sh.Post(Cast{Message: NewText([]byte("42[]")), Solo: Recipient{Session: x}})
		}
		return sh
	}
	never, cancel := context.WithCancel(t.Context())
	cancel()
	for name, relieve := range map[string]func(*Shard){
		"a pass":         func(sh *Shard) { sh.take() },
		"single casts":   func(sh *Shard) { sh.takeSolos(func(s *Session) bool { return s == x }, nil) },
		"the end":        func(sh *Shard) { sh.close() },
		"an end, a pass": func(sh *Shard) { sh.close(); sh.take() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh := newShard(nil, 0, messages)
			if err := sh.Wait(never); err != nil {
				t.Errorf("an empty inbox made an emitter wait: %v", err)
			}
			if n := fill(messages).depth(); n != messages.MaxMessages {
				t.Errorf("%d messages fill an inbox of %d", n, messages.MaxMessages)
			}
			sh = fill(bytes)
			if err := sh.Wait(never); !errors.Is(err, context.Canceled) {
				t.Errorf("a full inbox, and the emitter's context had ended: %v", err)
			}
			sh.takeSolos(func(s *Session) bool { return s == others }, nil)
			if err := sh.Wait(never); !errors.Is(err, context.Canceled) {
				t.Errorf("nothing was taken, and an emitter went on: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			waited := make(chan error, 1)
			go func() { waited <- sh.Wait(ctx) }()
			relieve(sh)
			if err := <-waited; err != nil {
				t.Errorf("an emitter still waits: %v", err)
			}
		})
	}
}
