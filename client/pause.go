package client

import (
	"context"
	"time"
)

// secondBound is how many times Config.EventQueue a socket takes while the
// connection waits for an answer of the server: reading must go on for the answer
// to arrive, but not for ever.
const secondBound = 16

// queue hands an event to the handlers, waiting for room on the reader of its
// session, which pauses the server, unless an answer is awaited, which would
// arrive behind the event. By the time the next ping is due, the server, whose
// pings are not read either, has given the session up.
// take is to queue it if fewer events than the given number wait.
func (s *Socket) queue(from *session, take func(limit int) (full <-chan struct{})) error {
	c := s.client
	for {
		if from.ctx.Err() != nil {
			return context.Cause(from.ctx)
		}
		room := take(c.cfg.EventQueue)
		if room == nil {
			return nil
		}
		awaits, asked := c.awaits(from)
		if awaits {
			if take(c.cfg.EventQueue*secondBound) != nil {
				return errOverflow
			}
			return nil
		}
		if err := pause(from, room, asked); err != nil {
			return err
		}
	}
}

// pause waits for room, or for somebody to want an answer.
func pause(from *session, room, asked <-chan struct{}) error {
	due := time.NewTimer(time.Until(from.deadline()))
	defer due.Stop()
	select {
	case <-room:
	case <-asked:
	case <-due.C:
		return errPing
	case <-from.ctx.Done():
		return context.Cause(from.ctx)
	}
	return nil
}

// awaits reports whether a socket waits for an answer on a session, and if not
// returns a channel that is closed when that may have changed.
func (c *Client) awaits(from *session) (awaits bool, asked <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.session == from && (s.state == waiting || len(s.acks) > 0) {
			return true, nil
		}
	}
	if c.asked == nil {
		c.asked = make(chan struct{})
	}
	return false, c.asked
}

// expects wakes a reader that pauses: an answer is awaited from now on. The
// client's mutex is held.
func (c *Client) expects() {
	if c.asked != nil {
		close(c.asked)
		c.asked = nil
	}
}
