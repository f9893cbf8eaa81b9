package node

import (
	"context"
	"errors"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
)

// fillTimeout bounds the reading of what was logged before the server came.
const fillTimeout = 20 * time.Second

// fill reads what the log holds of the recovery window from before this server
// came, once for all clients that will come from servers that are gone (V10).
// It began to follow the log at start.
func (f *feed) fill(start backplane.Position) {
	defer close(f.filled)
	if start.Seq == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(f.srv.ctx, fillTimeout)
	defer cancel()
	base, older, err := f.readBack(ctx, start)
	if err != nil {
		if f.srv.ctx.Err() == nil {
			f.srv.cfg.Logger.Warn("past events cannot be read: clients of other servers that missed some are let in anew", "err", err)
		}
		return
	}
	if base.Seq >= start.Seq {
		return // nothing is left of it
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring.Backfill(start, base, older)
	f.ring.Trim(time.Now().Add(-f.age()), f.srv.cfg.Recovery.MaxBytes)
}

// readBack reads the entries up to start, and returns the position before the
// first of them.
func (f *feed) readBack(ctx context.Context, start backplane.Position) (base backplane.Position, older []*resume.Entry, err error) {
	log := backplane.Logs(f.srv.cfg.Backplane)[0]
	oldest, bytes := time.Now().Add(-f.age()), 0
	for after := uint64(0); ; {
		older, bytes = nil, 0
		base = backplane.Position{Seq: after}
		err = nil
		for e, failed := range log.Read(ctx, after, start.Seq) {
			if failed != nil {
				err = failed
				break
			}
			if e.Stored.Before(oldest) {
				// Of one that is younger and stood before it nothing is kept, either:
				// there are no gaps behind base.
				base, older, bytes = e.Position, nil, 0
				continue
			}
			re := f.entry(e)
			re.Shared = new(replayed)
			older = append(older, re)
			for bytes += re.Size(); bytes > f.srv.cfg.Recovery.MaxBytes && len(older) > 1; {
				base, bytes = older[0].Position, bytes-older[0].Size()
				older = older[1:]
			}
		}
		trimmed, ok := errors.AsType[*backplane.TrimmedError](err)
		if !ok {
			return base, older, err
		}
		// It begins later, and may begin later still when it is asked again.
		after = trimmed.First - 1
	}
}

// complete waits until fill is over.
func (f *feed) complete(ctx context.Context) error {
	select {
	case <-f.filled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
