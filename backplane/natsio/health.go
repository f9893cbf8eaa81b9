package natsio

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
)

// canaries are the health checks that run. A canary leaves on the connection of
// the logs and comes back on the live one, through the channel and the goroutine
// of all deliveries, so it shows that both connections and the handlers work.
type canaries struct {
	mu   sync.Mutex
	last uint64
	m    map[uint64]chan struct{}
}

// canaryAgain is how long a canary may take before another one is sent: when a
// connection has just come back, the server may not know yet where it goes.
const canaryAgain = 200 * time.Millisecond

func (c *canaries) init() { c.m = make(map[uint64]chan struct{}) }

// Healthy implements backplane.Backplane.
func (b *Backplane) Healthy(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		return backplane.ErrNoDeadline
	}
	if b.isClosed() {
		return backplane.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &b.health
	back := make(chan struct{})
	c.mu.Lock()
	c.last++
	n := c.last
	c.m[n] = back
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.m, n)
		c.mu.Unlock()
	}()
	liveDown, logDown := b.live.whenDown(), b.log.whenDown()
	if !b.live.up.Load() {
		return backplane.ErrDisconnected
	}
	t := time.NewTicker(canaryAgain)
	defer t.Stop()
	for {
		if err := b.log.publish(b.space.Canary(b.id), "", binary.BigEndian.AppendUint64(nil, n)); err != nil {
			if b.isClosed() {
				return backplane.ErrClosed
			}
			return err
		}
		select {
		case <-back:
			return nil
		case <-b.closed:
			return backplane.ErrClosed
		case <-liveDown:
			return backplane.ErrDisconnected
		case <-logDown:
			return backplane.ErrDisconnected
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// takeCanary runs on the receiver.
func (b *Backplane) takeCanary(msg *nats.Msg) {
	if len(msg.Data) != 8 {
		b.stats.malformed.Add(1)
		return
	}
	n := binary.BigEndian.Uint64(msg.Data)
	c := &b.health
	c.mu.Lock()
	defer c.mu.Unlock()
	if back := c.m[n]; back != nil {
		close(back)
		delete(c.m, n)
	}
}
