package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	checkEvery = time.Second     // between two test messages
	checkWait  = 2 * time.Second // for one to come back
	grace      = 10 * time.Second
)

// health tells for how long test messages have not come back.
type health struct {
	check func(context.Context) error

	mu   sync.Mutex
	good time.Time // when the last one that came back was sent
	err  error     // of those since
}

// run sends one message after the other until ctx ends.
func (h *health) run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.probe(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (h *health) probe(ctx context.Context) {
	sent := time.Now()
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	err := h.check(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	if err == nil {
		h.good = sent
	}
}

// state is nil while messages come back, or have until a moment ago.
func (h *health) state() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	since := time.Since(h.good)
	if since < grace {
		return nil
	}
	if h.err == nil { // the one under way takes long
		return fmt.Errorf("no message came back for %v", since.Round(time.Second))
	}
	return fmt.Errorf("no message came back for %v: %w", since.Round(time.Second), h.err)
}
