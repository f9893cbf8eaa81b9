package node

import (
	"context"
	"errors"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
)

// barrier returns when all other servers know of the subscriptions that this
// one has made so far (V13): what they emit afterwards arrives.
func (srv *Server) barrier(ctx context.Context) error {
	if !srv.clustered() {
		return nil
	}
	ctx, cancel := srv.bounded(ctx)
	defer cancel()
	roster, _ := membership.Roster(srv.cfg.Membership, srv.cfg.Backplane.Heard)
	return srv.cfg.Backplane.Barrier(ctx, roster)
}

// unheard is barrier for another node that waits for so long: who did not confirm,
// and why. Both may hear of different nodes, so the other one would not know. Some
// of the time is left for the answer.
func (srv *Server) unheard(wait time.Duration) map[string]string {
	if wait <= 0 || wait > srv.cfg.AckTimeout {
		wait = srv.cfg.AckTimeout
	}
	ctx, cancel := context.WithTimeout(srv.ctx, wait-wait/8)
	defer cancel()
	_, silent := membership.Roster(srv.cfg.Membership, srv.cfg.Backplane.Heard)
	err := srv.barrier(ctx)
	if srv.ctx.Err() != nil {
		return nil // this node ends, and its sockets with it
	}
	all := make(map[string]string)
	if p, ok := errors.AsType[*backplane.PartialError](err); ok {
		var named PartialError
		named.add(p)
		for _, f := range named.FailedNodes {
			if f.Reason != string(backplane.ReasonDead) { // who emits nothing any more
				all[f.Node] = f.Reason
			}
		}
	}
	for _, id := range silent {
		all[id] = string(backplane.ReasonUnreachable)
	}
	return all
}
