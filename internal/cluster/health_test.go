package cluster

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A backplane that is silent turns health red after 10 s, one that hangs too,
// and the first message that comes back turns it green.
func TestHealth(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(ctx context.Context) error{
		"refuses": func(context.Context) error { return errors.New("no NATS") },
		"hangs":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				h := &health{good: time.Now(), check: func(ctx context.Context) error {
					if broken.Load() {
						return fail(ctx)
					}
					return nil
				}}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { h.run(ctx); close(done) }()
				wait := func(d time.Duration) { <-time.After(d); synctest.Wait() }

				wait(time.Hour)
				if err := h.state(); err != nil {
					t.Errorf("while messages come back: %v", err)
				}
				broken.Store(true)
				wait(grace - checkEvery)
				if err := h.state(); err != nil {
					t.Errorf("after %v: %v", grace-checkEvery, err)
				}
				wait(2 * checkEvery)
				if err := h.state(); err == nil || !strings.Contains(err.Error(), "no message came back for 1") {
					t.Errorf("after more than %v: %v", grace, err)
				}
				broken.Store(false)
				wait(checkWait + checkEvery)
				if err := h.state(); err != nil {
					t.Errorf("when it is over: %v", err)
				}
				cancel()
				<-done
			})
		})
	}
}
