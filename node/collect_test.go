package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/node"
)

// However a collection ends, nothing of it is left.
func TestCollectionsEnd(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	ctx := t.Context()
	const n = 5
	var peers []*peer
	for i := range n {
		p := srv.peer(t, "/", nil)
		client.Handle(p.Socket, "q", func(context.Context, string) (int, error) { return i, nil })
		must(t, p.Connect(ctx))
		peers = append(peers, p)
	}
	clean := func(what string) {
		t.Helper()
		if open := node.OpenCollections(srv.Server); open != 0 {
			t.Errorf("%s: %d collections left", what, open)
		}
		for _, p := range peers {
			if s, ok := ns.Socket(p.ID()); ok && node.Awaiting(s) != 0 {
				t.Errorf("%s: %d answers of %s awaited", what, node.Awaiting(s), p.ID())
			}
		}
	}
	if res, err := ns.Broadcast().CollectAcks(ctx, "q", "x"); len(res.Answers) != n || err != nil {
		t.Errorf("%+v, %v", res, err)
	}
	clean("all answered")

	for range ns.Broadcast().EmitWithAck(ctx, "q", "x") {
		break
	}
	clean("left early")

	func() {
		defer func() { _ = recover() }()
		for range ns.Broadcast().EmitWithAck(ctx, "q", "x") {
			panic("as planned")
		}
	}()
	clean("panic in the loop")

	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	res, err := ns.Broadcast().CollectAcks(short, "nobody answers this")
	cancel()
	if len(res.Missing) != n || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", res, err)
	}
	clean("time-out")

	gone, cancelGone := context.WithCancel(ctx)
	cancelGone()
	if _, err := ns.Broadcast().CollectAcks(gone, "q", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	clean("cancelled")

	// One answers, the others end before they do.
	done := make(chan string, 1)
	must(t, srv.Go(func(context.Context) error {
		res, err := ns.Broadcast().CollectAcks(context.Background(), "mixed")
		done <- fmt.Sprint(len(res.Answers), len(res.Missing), err)
		return nil
	}))
	must(t, peers[0].question("mixed").Ack(ctx, "here"))
	for _, p := range peers[1:] {
		p.question("mixed")
		p.client.Drop()
	}
	if got := wait(t, done, "the result"); got != "1 4 <nil>" {
		t.Errorf("got %s", got)
	}
	clean("some ended")
}

// A call without a deadline gets one, and the log says so, once.
func TestCollectionWithoutDeadline(t *testing.T) {
	t.Parallel()
	var log testlog.Buffer
	srv := start(t, func(c *node.Config) {
		c.AckTimeout = 50 * time.Millisecond
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	p := srv.connect(t, "/", nil)
	const advice = "has no deadline"
	bounded, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if res, _ := srv.Of("/").Broadcast().CollectAcks(bounded, "q"); len(res.Missing) != 1 || strings.Contains(log.String(), advice) {
		t.Errorf("%+v, %s", res, log.String())
	}
	for range 2 {
		res, err := srv.Of("/").Broadcast().CollectAcks(t.Context(), "q")
		if len(res.Missing) != 1 || res.Missing[0] != p.ID() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %v", res, err)
		}
	}
	if n := strings.Count(log.String(), advice); n != 1 || !strings.Contains(log.String(), "event=q ack_timeout=50ms") {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

// Sockets that end while their OnDisconnect is still running, and sockets whose
// OnConnect is, are not asked: they could not answer.
func TestCollectionSkipsTheUnconnected(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	release, leaving, entering := make(chan struct{}), make(chan struct{}, 1), make(chan struct{}, 1)
	defer close(release)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		var auth struct{ Wait bool }
		must(t, s.Auth(&auth))
		if auth.Wait {
			entering <- struct{}{}
			<-release
		}
		return nil
	})
	ns.OnDisconnecting(func(context.Context, *node.Socket, node.Reason) {
		leaving <- struct{}{}
		<-release
	})
	a := srv.connect(t, "/", nil)
	a.client.Drop()
	wait(t, leaving, "OnDisconnecting")
	r := srv.raw(t, "4", "")
	r.send(`40{"Wait":true}`)
	wait(t, entering, "OnConnect")
	res, err := ns.Broadcast().CollectAcks(t.Context(), "q")
	if len(res.Answers)+len(res.Missing) != 0 || err != nil {
		t.Errorf("%+v, %v", res, err)
	}
}

// A handler may collect from a room that its own client is in.
func TestCollectFromOwnRoom(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Mailbox = 1 })
	ns := srv.Of("/")
	node.Handle(ns, "vote", func(ctx context.Context, _ *node.Socket, _ node.None) (int, error) {
		res, err := ns.Broadcast().CollectAcks(ctx, "yes?")
		return len(res.Answers), err
	})
	p := srv.peer(t, "/", nil)
	client.Handle(p.Socket, "yes?", func(context.Context, string) (bool, error) { return true, nil })
	must(t, p.Connect(t.Context()))
	if n := ask[int](p, "vote"); n != 1 {
		t.Errorf("%d answers", n)
	}
}

// Marks that tell who was selected already survive their own wrap-around.
func TestMarksWrap(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	p := srv.connect(t, "/", nil)
	s := only(t, ns)
	must(t, s.Join("a", "b"))
	must(t, ns.To("a", "b").Emit(t.Context(), "first"))
	node.SetMarks(ns, ^uint32(0)-1)
	for i := range 4 {
		must(t, ns.To("a", "b").Emit(t.Context(), "n", i))
	}
	p.expect("first", "n 0", "n 1", "n 2", "n 3")
}
