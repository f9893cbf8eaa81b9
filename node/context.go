package node

import (
	"context"
	"time"
)

// socketContext is a Socket as a context that ends with it. It makes nothing
// until somebody asks for Done, so that an idle socket pays nothing for it.
type socketContext Socket

// Deadline implements context.Context; there is none.
func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context; it holds none.
func (c *socketContext) Value(any) any { return nil }

// Done implements context.Context.
func (c *socketContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.state == socketEnded {
			close(c.done)
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *socketContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == socketEnded {
		return context.Canceled
	}
	return nil
}

// AfterFunc lets package context derive contexts without a goroutine for each.
func (c *socketContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == socketEnded {
		go f()
		return func() bool { return false }
	}
	if c.doneFns == nil {
		c.doneFns = make(map[uint32]func())
	}
	id := c.nextDone
	c.nextDone++
	c.doneFns[id] = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.doneFns[id]
		delete(c.doneFns, id)
		return ok
	}
}
