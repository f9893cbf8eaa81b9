package node_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

func TestCall(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	p := srv.peer(t, "/", nil)
	client.Handle(p.Socket, "add", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	p.On("two", func(e *client.Event) { must(t, e.Ack(t.Context(), "a", []byte{7})) })
	must(t, p.Connect(t.Context()))
	s, _ := srv.Of("/").Socket(p.ID())
	n, err := node.Call[int](t.Context(), s, "add", 41)
	if err != nil || n != 42 {
		t.Errorf("%d, %v", n, err)
	}
	two, err := node.Call[node.Args2[string, []byte]](t.Context(), s, "two")
	if err != nil || two.A != "a" || len(two.B) != 1 {
		t.Errorf("%v, %v", two, err)
	}
	if _, err := node.Call[string](t.Context(), s, "add", 1); err == nil {
		t.Error("a number was decoded as a string")
	}
}

// Ids of single sockets are even, those of broadcasts odd, and both begin
// somewhere: a late answer cannot be taken for another one's (R3).
func TestAckIDs(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.AckTimeout = time.Minute })
	ns := srv.Of("/")
	sockets := make(chan *node.Socket, 8)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { sockets <- s; return nil })
	firsts := make(map[uint64]bool)
	for range 8 {
		r := srv.raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40")
		s := wait(t, sockets, "a socket")
		for i := range 3 {
			srv.Go(func(ctx context.Context) error { _, err := s.EmitWithAck(ctx, "q"); return err })
			id := ackID(t, r.next())
			if id%2 != 0 {
				t.Errorf("id %d of a single socket is odd", id)
			}
			if i == 0 {
				firsts[id] = true
			}
		}
		srv.Go(func(ctx context.Context) error {
			for range ns.To(s.ID()).EmitWithAck(ctx, "q") { //nolint:revive // only the id matters
			}
			return nil
		})
		id := ackID(t, r.next())
		if id%2 != 1 {
			t.Errorf("id %d of a broadcast is even", id)
		}
		r.send("43" + strconv.FormatUint(id, 10) + "[]")
	}
	if len(firsts) < 8 {
		t.Errorf("first ids repeat: %v", firsts)
	}
}

// ackID takes the id out of 42<id>["q"].
func ackID(t *testing.T, message string) uint64 {
	t.Helper()
	digits, _, _ := strings.Cut(strings.TrimPrefix(message, "42"), "[")
	id, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", message, err)
	}
	return id
}

// An answer counts once, for who was asked, and only for them.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	sockets := make(chan *node.Socket, 2)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { sockets <- s; return nil })
	honest, forger := srv.raw(t, "4", ""), srv.raw(t, "4", "")
	honest.send("40")
	honest.expectPrefix("40")
	s := wait(t, sockets, "a socket")
	forger.send("40")
	forger.expectPrefix("40")
	wait(t, sockets, "a socket")
	ns.OnEvent("sync", func(_ context.Context, e *node.Event) error { return e.Ack() })

	direct, all := make(chan string, 1), make(chan string, 1)
	srv.Go(func(ctx context.Context) error {
		v, err := node.Call[string](ctx, s, "q")
		direct <- fmt.Sprint(v, err)
		return nil
	})
	id := ackID(t, honest.next())
	srv.Go(func(ctx context.Context) error {
		res, err := ns.To(s.ID()).CollectAcks(ctx, "q")
		if len(res.Answers) == 1 {
			all <- string(res.Answers[0].Args.Raw(0))
		} else {
			all <- fmt.Sprint(res, err)
		}
		return nil
	})
	odd := ackID(t, honest.next())
	for _, id := range []uint64{id, odd} {
		forger.send(fmt.Sprintf(`43%d["forged"]`, id))
	}
	forger.send(`421["sync"]`)
	forger.expect("431[]")
	for _, id := range []uint64{id, odd} {
		honest.send(fmt.Sprintf(`43%d["true"]`, id), fmt.Sprintf(`43%d["again"]`, id))
	}
	if got := wait(t, direct, "the answer"); got != "true<nil>" {
		t.Errorf("got %s", got)
	}
	if got := wait(t, all, "the answer"); got != `"true"` {
		t.Errorf("got %s", got)
	}
	honest.send(`421["sync"]`)
	honest.expect("431[]")
	if n := srv.Stats().UnknownAcks; n != 4 {
		t.Errorf("%d unknown answers", n)
	}
	forger.send(`4310000000000000000000["20 digits"]`)
	forger.closed()
}

func TestAckWaitEnds(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.AckTimeout = 10 * time.Millisecond })
	p := srv.connect(t, "/", nil)
	s, _ := srv.Of("/").Socket(p.ID())
	if _, err := s.EmitWithAck(t.Context(), "q"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("default time-out: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	long, cancelLong := context.WithTimeout(ctx, time.Hour)
	defer cancelLong()
	if _, err := s.EmitWithAck(long, "q"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ended := make(chan error, 1)
	srv.Go(func(context.Context) error {
		long, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		_, err := s.EmitWithAck(long, "last")
		ended <- err
		return nil
	})
	p.question("last")
	p.client.Drop()
	if err := wait(t, ended, "the end of the wait"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("socket ended: %v", err)
	}
	if _, err := s.EmitWithAck(t.Context(), "q"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("dead socket: %v", err)
	}
}

// An acknowledgement after the end goes nowhere and says so.
func TestAckOnDeadSocket(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	events := make(chan *node.Event, 1)
	srv.Of("/").OnEvent("q", func(_ context.Context, e *node.Event) error { events <- e; return nil })
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	r.send(`421["q"]`)
	e := wait(t, events, "the event")
	_ = r.conn.Close()
	closed(t, e.Socket.Context().Done(), "the end")
	if err := e.Ack(); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("got %v", err)
	}
	if err := e.Socket.Volatile().Emit(t.Context(), "x"); err != nil {
		t.Errorf("volatile: %v", err)
	}
}

// A handler may wait for its own client's answer although its mailbox is full:
// reading goes on then, up to a second bound.
func TestHandlerAsksItsOwnClient(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Mailbox = 2 })
	ns := srv.Of("/")
	ns.OnEvent("start", func(ctx context.Context, e *node.Event) error {
		answer, err := e.Socket.EmitWithAck(ctx, "q")
		if err != nil {
			return err
		}
		return e.AckRaw(answer)
	})
	ns.OnEvent("fill", func(context.Context, *node.Event) error { return nil })
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	r.send(`421["start"]`)
	id := ackID(t, r.next())
	for range 20 { // ten times the mailbox
		r.send(`42["fill"]`)
	}
	r.send(fmt.Sprintf(`43%d["mine"]`, id))
	r.expect(`431["mine"]`)
}

// The same when the mailbox is full before the question is asked.
func TestHandlerAsksBehindPause(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Mailbox = 2 })
	ns := srv.Of("/")
	running, resume := make(chan struct{}), make(chan struct{})
	ns.OnEvent("start", func(ctx context.Context, e *node.Event) error {
		close(running)
		<-resume
		answer, err := e.Socket.EmitWithAck(ctx, "q")
		if err != nil {
			return err
		}
		return e.AckRaw(answer)
	})
	ns.OnEvent("fill", func(context.Context, *node.Event) error { return nil })
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	r.send(`421["start"]`)
	closed(t, running, "the handler")
	for range 6 {
		r.send(`42["fill"]`)
	}
	until(t, func() bool { return srv.Stats().Pauses > 0 })
	close(resume)
	id := ackID(t, r.next())
	r.send(fmt.Sprintf(`43%d["mine"]`, id))
	r.expect(`431["mine"]`)
}

func TestMailboxOverflow(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Mailbox = 2 })
	ns := srv.Of("/")
	ends := make(chan node.Reason, 1)
	ns.OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) { ends <- r })
	ns.OnEvent("start", func(ctx context.Context, e *node.Event) error {
		_, err := e.Socket.EmitWithAck(ctx, "q")
		return err
	})
	r := srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	r.send(`42["start"]`)
	ackID(t, r.next())
	for range 2*16 + 1 {
		r.send(`42["fill"]`)
	}
	r.closed()
	if got := wait(t, ends, "OnDisconnect"); got != transport.ReasonRateLimit {
		t.Errorf("reason %q", got)
	}
	if n := srv.Stats().MailboxOverflows; n != 1 {
		t.Errorf("%d overflows", n)
	}
}

// A slow handler of one namespace delays no other, of the same connection.
func TestSlowNamespace(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	release := make(chan struct{})
	srv.Of("/slow").OnEvent("wait", func(context.Context, *node.Event) error { <-release; return nil })
	srv.Of("/fast").OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
	defer close(release)
	r := srv.raw(t, "4", "")
	r.send("40/slow,", "40/fast,")
	r.expectPrefix("40/slow,")
	r.expectPrefix("40/fast,")
	for range 30 {
		r.send(`42/slow,["wait"]`)
	}
	r.send(`42/fast,1["ping"]`)
	r.expect("43/fast,1[]")
}
