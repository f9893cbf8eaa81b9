package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

// wire is one transport of a session. read and write are each called by one
// goroutine; they return when the session's context ends.
type wire interface {
	name() Transport
	// read waits for packets and hands them to s.handle: those of one poll,
	// or one message.
	read(s *session) error
	// write sends packets in order.
	write(ctx context.Context, packets []engineio.Packet) error
	// bye says that the session is over. It reports whether the server answers
	// by ending its side.
	bye(ctx context.Context) (answered bool)
}

// session is one Engine.IO session, from its handshake to its end.
type session struct {
	client *Client
	hs     engineio.Handshake

	// ctx ends with the session; its cause is why.
	ctx context.Context
	end context.CancelCauseFunc
	wg  sync.WaitGroup

	out       outbox
	finishing chan struct{} // closed by finish
	readDone  chan struct{}
	writeHold chan *handover
	readHold  atomic.Pointer[handover]
	beat      atomic.Int64 // Unix nanoseconds by which the next ping is due

	mu        sync.Mutex // guards what follows
	transport Transport
	finished  bool
}

// handover lets the upgrade put another transport into a running loop.
type handover struct {
	held chan struct{} // closed when the loop has stopped
	next chan wire     // takes one without blocking
}

func newHandover() *handover {
	return &handover{held: make(chan struct{}), next: make(chan wire, 1)}
}

// wait is called by the loop: it stops until it gets the transport to go on
// with, or nil if the session has ended.
func (h *handover) wait(ctx context.Context) wire {
	close(h.held)
	select {
	case w := <-h.next:
		return w
	case <-ctx.Done():
		return nil
	}
}

// newSession readies a session that open fills with the handshake.
func newSession(c *Client) *session {
	s := &session{
		client:    c,
		out:       newOutbox(c.cfg.SendQueue),
		finishing: make(chan struct{}),
		readDone:  make(chan struct{}),
		writeHold: make(chan *handover),
	}
	s.ctx, s.end = context.WithCancelCause(c.ctx)
	return s
}

// start runs the loops on the transport that the session was opened on. early
// are packets that came with the handshake.
func (s *session) start(w wire, early []engineio.Packet, upgrade bool) {
	s.wg.Go(func() { s.reader(w, early) })
	s.wg.Go(func() { s.writer(w) })
	if upgrade {
		s.wg.Go(func() { s.upgrade(w) })
	}
}

// wait returns when the session has ended and its goroutines with it.
func (s *session) wait() error {
	<-s.ctx.Done()
	s.wg.Wait()
	return context.Cause(s.ctx)
}

// touch notes that the server is alive: the next ping is due in time.
func (s *session) touch() {
	s.beat.Store(time.Now().Add(s.hs.PingInterval + s.hs.PingTimeout).UnixNano())
}

func (s *session) deadline() time.Time { return time.Unix(0, s.beat.Load()) }

func (s *session) reader(w wire, early []engineio.Packet) {
	defer close(s.readDone)
	for _, p := range early {
		if err := s.handle(p); err != nil {
			s.end(err)
			return
		}
	}
	for {
		if err := w.read(s); err != nil {
			s.end(err)
			return
		}
		if h := s.readHold.Swap(nil); h != nil {
			if w = h.wait(s.ctx); w == nil {
				return
			}
		}
	}
}

// handle takes a packet of either transport.
func (s *session) handle(p engineio.Packet) error {
	switch p.Type {
	case engineio.Message:
		return s.client.receive(s, p)
	case engineio.Ping:
		s.touch()
		s.out.putPong(unit{head: engineio.Packet{Type: engineio.Pong, Data: p.Data}})
		return nil
	case engineio.Noop, engineio.Pong:
		return nil
	case engineio.Close:
		return io.EOF
	default:
		return errParse
	}
}

// finish ends the session when all that was queued has been written.
func (s *session) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished {
		s.finished = true
		close(s.finishing)
	}
}

func (s *session) writer(w wire) {
	var packets []engineio.Packet
	finishing := s.finishing
	for {
		select {
		case <-s.out.wake:
		case h := <-s.writeHold:
			if w = h.wait(s.ctx); w == nil {
				return
			}
		case <-finishing:
			finishing = nil
		case <-s.ctx.Done():
			return
		}
		var empty bool
		packets, empty = s.out.take(packets[:0])
		if err := s.write(w, packets); err != nil {
			s.end(err)
			return
		}
		clear(packets)
		if finishing == nil && empty {
			s.sayBye(w)
			return
		}
	}
}

func (s *session) write(w wire, packets []engineio.Packet) error {
	if len(packets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.client.cfg.ConnectTimeout)
	defer cancel()
	return w.write(ctx, packets)
}

// sayBye closes the session from our side. It waits for the answer, because
// closing a TCP connection with unread bytes could take back what was written.
func (s *session) sayBye(w wire) {
	ctx, cancel := context.WithTimeout(s.ctx, s.client.cfg.CloseTimeout)
	defer cancel()
	if w.bye(ctx) {
		select {
		case <-s.readDone:
		case <-ctx.Done():
		}
	}
	s.end(ErrClosed)
}

// current returns the transport in use.
func (s *session) current() Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport
}

// reason puts the cause of a session's end into words.
func reason(err error) Reason {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrClosed), errors.Is(err, context.Canceled):
		return ClientDisconnect
	case errors.Is(err, errPing), errors.As(err, &timeout) && timeout.Timeout():
		return PingTimeout
	case errors.Is(err, errParse):
		return ParseError
	case errors.Is(err, errOverflow):
		return EventOverflow
	case errors.Is(err, io.EOF), errors.Is(err, errDropped):
		return TransportClose
	default:
		return TransportError
	}
}
