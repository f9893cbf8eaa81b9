package natsio

import (
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// inflow is what waits for the receiver. The client drops messages when a
// channel is full and knows no bound in bytes, so the channel it writes to is
// emptied at once into here, where both bounds hold.
type inflow struct {
	most, mostBytes int64
	count, bytes    atomic.Int64 // those being handled included

	mu    sync.Mutex
	list  []*nats.Msg
	full  bool          // the last message did not fit
	ready chan struct{} // capacity 1: there is something in list
}

// inChannel is the capacity of the client's channel: what comes while the
// goroutine that empties it waits for a processor.
const inChannel = 1 << 16

// maxHandled is the length of a list that is kept to be used again.
const maxHandled = 4096

func (q *inflow) init(most, mostBytes int) {
	q.most, q.mostBytes = int64(most), int64(mostBytes)
	q.ready = make(chan struct{}, 1)
}

// push adds a message. It reports whether it is the first one that does not fit.
func (q *inflow) push(m *nats.Msg) (overflow bool) {
	size := weight(m)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count.Load() >= q.most || q.bytes.Load()+size > q.mostBytes {
		overflow, q.full = !q.full, true
		return overflow
	}
	q.full = false
	q.count.Add(1)
	q.bytes.Add(size)
	if q.list = append(q.list, m); len(q.list) == 1 {
		select {
		case q.ready <- struct{}{}:
		default:
		}
	}
	return false
}

// take returns all messages, in order. It uses a list that was handled for the
// next ones.
func (q *inflow) take(handled []*nats.Msg) []*nats.Msg {
	clear(handled)
	if cap(handled) > maxHandled {
		handled = nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = handled[:0]
	return list
}

// done frees the room of a message that was handled.
func (q *inflow) done(m *nats.Msg) {
	q.count.Add(-1)
	q.bytes.Add(-weight(m))
}

// weight is about what a message takes in memory.
func weight(m *nats.Msg) int64 { return int64(len(m.Data)+len(m.Subject)+len(m.Reply)) + 160 }

// pump empties the client's channel.
func (b *Backplane) pump() {
	for {
		select {
		case <-b.closed:
			return
		case m := <-b.in:
			if b.inflow.push(m) {
				b.tooSlow(m.Sub)
			}
		}
	}
}
