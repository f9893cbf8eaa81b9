package node

import (
	"sync"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// serverEvents runs the handlers of events from other servers, away from the
// backplane's goroutine.
type serverEvents struct {
	srv     *Server
	mu      sync.Mutex
	queues  map[eventSource][]func() // present while a goroutine serves it
	running int                      // that are to be answered
}

// eventSource is what keeps events in order.
type eventSource struct{ node, namespace string }

// maxServerEvents bounds what waits from one source, and how many questions are
// worked on at a time.
const maxServerEvents = 1024

func (q *serverEvents) init(srv *Server) {
	q.srv = srv
	q.queues = make(map[eventSource][]func())
}

// serverEvent takes another server's event.
func (srv *Server) serverEvent(d backplane.Delivery) {
	q, env := &srv.serverEvents, d.Envelope
	var h ServerEventHandler
	e, err := srv.decodeServerEvent(env)
	if err != nil {
		srv.cfg.Logger.Warn("event of another server cannot be read", "node", clip(env.Origin), "err", err)
	} else if ns := srv.known(env.Namespace); ns != nil {
		h = ns.table().server[e.Name]
	}
	if h == nil {
		finish(d, failedEvent)
		return
	}
	handle := func() { srv.handleServerEvent(d, h, e) }
	ok := false
	if d.Reply != nil {
		ok = q.answer(handle)
	} else {
		ok = q.put(eventSource{env.Origin, env.Namespace}, handle)
	}
	if !ok {
		srv.stats.serverEventsDropped.Add(1)
		finish(d, failedEvent)
	}
}

var failedEvent = encodeBody(serverReply{Failed: true})

// answer runs f at once.
func (q *serverEvents) answer(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running >= maxServerEvents {
		return false
	}
	ok := q.srv.tasks.start(func() {
		f()
		q.mu.Lock()
		q.running--
		q.mu.Unlock()
	})
	if ok {
		q.running++
	}
	return ok
}

// put runs f behind the others of its source.
func (q *serverEvents) put(from eventSource, f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	queue, served := q.queues[from]
	if len(queue) >= maxServerEvents {
		return false
	}
	if !served && !q.srv.tasks.start(func() { q.serve(from) }) {
		return false
	}
	q.queues[from] = append(queue, f)
	return true
}

func (q *serverEvents) serve(from eventSource) {
	for {
		q.mu.Lock()
		queue := q.queues[from]
		if len(queue) == 0 {
			delete(q.queues, from)
			q.mu.Unlock()
			return
		}
		f := queue[0]
		queue[0] = nil
		q.queues[from] = queue[1:]
		q.mu.Unlock()
		f()
	}
}

func (srv *Server) handleServerEvent(d backplane.Delivery, h ServerEventHandler, e *ServerEvent) {
	var res any
	err := srv.guard("OnServerEvent", func() (err error) {
		res, err = h(srv.ctx, e)
		return err
	})
	if err != nil {
		srv.cfg.Logger.Warn("handler of a server event failed", "event", clip(e.Name), "node", clip(e.From), "err", err)
		finish(d, failedEvent)
		return
	}
	if d.Reply == nil {
		return
	}
	var text []byte
	var bin [][]byte
	err = srv.guard("MarshalJSON", func() (err error) {
		text, bin, err = srv.cfg.Codec.AppendValue([]byte{'['}, nil, res)
		return err
	})
	if err == nil {
		err = d.Reply(&backplane.Envelope{
			Kind: backplane.KindReply, Data: encodeBody(serverReply{}), Frames: protocol.Frames{Text: append(text, ']'), Binary: bin},
		}, true)
	}
	if err != nil {
		srv.cfg.Logger.Warn("result of a server event cannot be sent", "event", clip(e.Name), "err", err)
		finish(d, failedEvent)
	}
}

func (srv *Server) decodeServerEvent(env *backplane.Envelope) (*ServerEvent, error) {
	l := srv.cfg.Limits
	l.MaxAttachments = backplane.MaxAttachments
	d := protocol.NewDecoder(l)
	var p protocol.Packet
	done, err := d.Text(env.Frames.Text, &p)
	pkt := &p
	for i := 0; !done && err == nil && i < len(env.Frames.Binary); i++ {
		pkt, done, err = d.Binary(env.Frames.Binary[i])
	}
	switch {
	case err != nil:
		return nil, err
	case !done || pkt.Type != protocol.Event && pkt.Type != protocol.BinaryEvent:
		return nil, errNoEvent
	}
	return &ServerEvent{Name: string(pkt.Event), Args: pkt.Args, From: env.Origin}, nil
}

var errNoEvent = &protocol.SyntaxError{Reason: "not a complete event"}
