package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever begins to wait for an answer wakes a reader that pauses, for any
// socket of the connection; one that waits no more lets it pause again.
func TestAnswersWakeReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := newClient("http://host.invalid", Config{EventQueue: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer c.cancel()
		from := newSession(c)
		defer from.end(nil)
		from.hs.PingInterval = time.Minute
		from.touch()
		socket := func(namespace string) *Socket {
			s, err := c.Of(namespace, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.session, s.state = from, online
			return s
		}
		full, other := socket("/full"), socket("/other")
		open := make(chan struct{})
		queued := make(chan error, 10)
		take := func(limit int) <-chan struct{} { return full.box.postEvent(limit, func() { <-open }) }
		queue := func() { queued <- full.queue(from, take) }
		paused := func(want bool) {
			t.Helper()
			synctest.Wait()
			if got := len(queued) == 0; got != want {
				t.Errorf("paused %v, want %v", got, want)
			}
		}
		queue() // runs
		synctest.Wait()
		queue() // waits
		if err := errors.Join(<-queued, <-queued); err != nil {
			t.Fatal(err)
		}
		go queue()
		paused(true)
		id, _, ok := other.expect(from)
		if !ok {
			t.Fatal("not connected")
		}
		paused(false)
		if err := <-queued; err != nil {
			t.Error(err)
		}
		other.forget(id)
		go queue()
		paused(true)
		close(open)
		paused(false)
		if err := <-queued; err != nil {
			t.Error(err)
		}
		c.boxes.Wait()
	})
}
