package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane/embedded"
)

// What each step of Stop may take, beside the time of the sessions.
const (
	stepDownTime = 2 * time.Second // ten times what it takes while others are there to take over
	closeTime    = 3 * time.Second
	leaveTime    = 5 * time.Second
	serverTime   = 10 * time.Second
)

// Stop takes this node out of its cluster. It tells the others that it leaves,
// gives up the lead of the store, calls drain, which ends the sessions, with
// ctx, and ends the tunnels; then it closes the backplane, leaves the
// membership and stops the NATS server, each within a few seconds of its own.
// drain may be nil. It is to be called once, when readiness is red.
//
// Errors: that of drain. What else goes wrong is logged: nothing depends on it
// any more.
func (n *Node) Stop(ctx context.Context, drain func(context.Context) error) error {
	own := context.WithoutCancel(ctx)
	if n.gossip != nil {
		n.note("tell that this node leaves", n.gossip.SetLeaving())
	}
	if n.server != nil {
		n.step(own, "give up the lead of the store", stepDownTime, n.server.StepDown)
	}
	err := n.drain(ctx, drain)
	n.end()
	n.tasks.Wait()
	if n.backplane != nil {
		n.step(own, "close the backplane", closeTime, n.backplane.Close)
	}
	if n.members != nil {
		n.step(own, "leave the membership", leaveTime, n.members.Leave)
	}
	if n.server != nil {
		n.step(own, "stop the NATS server", serverTime, n.server.Shutdown)
	}
	return err
}

// drain ends what clients have here, and at the same time what they have on
// other nodes through this one.
func (n *Node) drain(ctx context.Context, drain func(context.Context) error) error {
	var wg sync.WaitGroup
	if n.forward != nil {
		wg.Go(func() { n.note("end forwarded requests", n.forward.Shutdown(ctx)) })
	}
	var err error
	if drain != nil {
		err = drain(ctx)
	}
	wg.Wait()
	return err
}

// step does one thing within a time of its own.
func (n *Node) step(ctx context.Context, what string, most time.Duration, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	n.note(what, do(ctx))
}

func (n *Node) note(what string, err error) {
	switch {
	case err == nil, errors.Is(err, embedded.ErrAlone):
	case errors.Is(err, context.DeadlineExceeded):
		n.log.Warn("took too long to "+what, "err", err)
	default:
		n.log.Info("could not "+what, "err", err)
	}
}
