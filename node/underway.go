package node

import (
	"context"
	"sync/atomic"
	"time"
)

// underway counts fast broadcasts that have reached some sockets and may still
// reach others. A session that changes hands in between would be found twice,
// by its old socket and by its new one, so a claim waits for them. What a client
// could have received before its claim was counted before.
type underway struct {
	phase   atomic.Uint32   // its last bit is the count that new ones are in
	count   [2]atomic.Int64 // so that settle need not wait for those
	waiting atomic.Bool     // settle wants to know of a count that comes to zero
	turn    chan struct{}   // holds the token of settle
	ended   chan struct{}
}

// settleTimeout bounds the wait for broadcasts, which take microseconds unless
// the backplane does not take them.
const settleTimeout = 100 * time.Millisecond

func (u *underway) init() {
	u.turn, u.ended = make(chan struct{}, 1), make(chan struct{}, 1)
}

// begin counts a broadcast, until end is called with its result.
func (u *underway) begin() (phase uint32) {
	phase = u.phase.Load() & 1
	u.count[phase].Add(1)
	return phase
}

func (u *underway) end(phase uint32) {
	if u.count[phase].Add(-1) == 0 && u.waiting.Load() {
		select {
		case u.ended <- struct{}{}:
		default:
		}
	}
}

// settle returns when the broadcasts that had begun have ended, or with ctx.
func (u *underway) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	select {
	case u.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	u.waiting.Store(true)
	defer func() {
		u.waiting.Store(false)
		<-u.turn
	}()
	// Of both phases: a broadcast may have been slow between the two lines of
	// begin.
	for range 2 {
		old := (u.phase.Add(1) - 1) & 1
		for u.count[old].Load() != 0 {
			select {
			case <-u.ended:
			case <-ctx.Done():
				return
			}
		}
	}
}
