package client

import (
	"context"
	"sync"

	"github.com/siod-io/siod/protocol/engineio"
)

// unit is what goes out with nothing in between: a packet and its attachments.
type unit struct {
	head        engineio.Packet
	attachments [][]byte
}

func (u unit) appendTo(packets []engineio.Packet) []engineio.Packet {
	packets = append(packets, u.head)
	for _, b := range u.attachments {
		packets = append(packets, engineio.Packet{Type: engineio.Message, Binary: true, Data: b})
	}
	return packets
}

// outbox holds what a session has to write, in order.
type outbox struct {
	room chan struct{} // a token for each emit that waits
	wake chan struct{} // has one element if there may be something to take

	mu    sync.Mutex
	pong  []unit // overtakes all else; at most one
	queue []queued
}

type queued struct {
	unit
	token bool
}

func newOutbox(size int) outbox {
	return outbox{room: make(chan struct{}, size), wake: make(chan struct{}, 1)}
}

// put queues an emit, waiting for room. It returns ErrDisconnected, having
// queued nothing, if done is closed first.
func (o *outbox) put(ctx context.Context, done <-chan struct{}, u unit) error {
	select {
	case <-done:
		return ErrDisconnected
	default:
	}
	select {
	case o.room <- struct{}{}:
		o.add(queued{u, true})
		return nil
	case <-done:
		return ErrDisconnected
	case <-ctx.Done():
		return ctx.Err()
	}
}

// putNow queues a CONNECT or DISCONNECT, of which there are few, in order with
// the emits but without waiting.
func (o *outbox) putNow(u unit) { o.add(queued{u, false}) }

// putPong queues a pong before all that waits, in place of one that is not
// written yet: as with WebSocket (RFC 6455, 5.5.3), answering the latest ping is
// enough, and a flood of pings must not fill our memory.
func (o *outbox) putPong(u unit) {
	o.mu.Lock()
	o.pong = append(o.pong[:0], u)
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) add(q queued) {
	o.mu.Lock()
	o.queue = append(o.queue, q)
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// maxBatch is how many units are written at once.
const maxBatch = 128

// take appends the next packets to those given. If more is left, it wakes its
// caller again; empty says that nothing is.
func (o *outbox) take(packets []engineio.Packet) (_ []engineio.Packet, empty bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, u := range o.pong {
		packets = u.appendTo(packets)
	}
	o.pong = nil
	n := min(len(o.queue), maxBatch)
	for i, q := range o.queue[:n] {
		packets = q.appendTo(packets)
		if q.token {
			<-o.room
		}
		o.queue[i] = queued{}
	}
	o.queue = o.queue[n:]
	if len(o.queue) > 0 {
		o.signal()
		return packets, false
	}
	o.queue = nil
	return packets, true
}
