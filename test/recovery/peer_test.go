package recovery

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
)

// The kinds of clients.
const (
	goClient = "Go"
	jsClient = "JavaScript 4.8.4"
)

// peer is one client as the model sees it: what it receives is held against the
// model here, whatever the client is made of.
type peer struct {
	model *model
	index int
	kind  string
	addr  atomic.Pointer[string]
	links chan *link // the newest, for the cutter

	connected func() bool
	online    atomic.Bool // of a client in another process
	agrees    func() bool // about the id and recovered, while nothing changes; nil if told has said so
	cur       atomic.Pointer[session]
	lost      atomic.Int64 // connections
	unsure    atomic.Int64 // events received of those that may be lost

	// Of the goroutine that receives.
	sid   string          // of the session, as its library says; "" if it does not
	fast  map[string]bool // received in this session
	trace []string        // the last events
}

func (w *world) newPeer(index int, kind string) *peer {
	p := &peer{model: w.model, index: index, kind: kind, links: make(chan *link, 1)}
	p.wander(w)
	return p
}

// wander picks the server for the next session of the transport.
func (p *peer) wander(w *world) {
	addr := w.anyAddr()
	p.addr.Store(&addr)
}

// on puts the newest link within reach of the cutter.
func (p *peer) on(l *link) {
	for {
		select {
		case p.links <- l:
			return
		case <-p.links:
		}
	}
}

// cut breaks the newest link.
func (p *peer) cut() {
	select {
	case l := <-p.links:
		l.cut()
	default:
	}
}

// delay is how long a client waits before it comes back, in microseconds.
func delay() int { return rand.IntN(3000) }

func (p *peer) fault(c class, format string, args ...any) {
	p.model.fault(c, "client %d (%s): %s; the last events were %q", p.index, p.kind, fmt.Sprintf(format, args...), p.trace)
}

// told notes what the client's library says about a new connection.
func (p *peer) told(recovered bool, sid string) {
	if mine := sid == p.sid; mine != recovered {
		p.fault(falsely, "recovered is %v, and the session is %s after %s", recovered, sid, p.sid)
	}
	p.sid = sid
}

// receive checks one event.
func (p *peer) receive(name string, args []json.RawMessage) {
	p.trace = append(p.trace, name)
	if len(p.trace) > 8 {
		p.trace = p.trace[1:]
	}
	offset, has, err := offsetOf(args)
	if err != nil {
		p.fault(other, "%s: %v", name, err)
		return
	}
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "fast", "volatile", "some":
		if has {
			p.fault(other, "%s has an offset", name)
		}
		p.unsequenced(kind, name)
		return
	}
	if !has {
		p.fault(other, "%s has no offset", name)
		return
	}
	if kind == "born" {
		ss := p.model.byID(id)
		switch was := p.cur.Load(); {
		case ss == nil || ss.client != p.index:
			p.fault(other, "a session begins that is not its own")
		case ss == was:
			p.fault(double, "the session begins twice")
		case p.sid != "" && id != p.sid:
			p.fault(falsely, "session %s begins, and it was told %s", id, p.sid)
		}
		p.cur.Store(ss)
		p.fast = nil // of another session it may get an event again
		return
	}
	ss := p.cur.Load()
	switch {
	case ss == nil:
		p.fault(other, "%s before the session began", name)
		return
	case p.sid != "" && ss.sid != p.sid:
		p.fault(gap, "%s instead of the beginning of session %s", name, p.sid)
		return
	}
	if c, text := p.sequenced(ss, kind, id, args, offset); c != "" {
		p.fault(c, "%s", text)
	}
}

func (p *peer) sequenced(ss *session, kind, id string, args []json.RawMessage, offset backplane.Offset) (class, string) {
	switch kind {
	case "joined":
		ss.mu.Lock()
		ss.born = offset.Seq
		ss.mu.Unlock()
		return "", ""
	case "plan":
		return ss.planned(id)
	case "side":
		return ss.aside(number(args))
	case "all":
		return ss.public(offset.Seq)
	}
	return other, "unknown event " + kind
}

// unsequenced checks an event that comes at most once.
func (p *peer) unsequenced(kind, name string) {
	if p.fast[name] {
		p.fault(double, "%s twice", name)
	}
	if p.fast == nil {
		p.fast = make(map[string]bool)
	}
	p.fast[name] = true
	if kind != "some" {
		p.unsure.Add(1)
	}
}

func number(args []json.RawMessage) (n int) {
	if len(args) > 0 {
		_ = json.Unmarshal(args[0], &n) // 0 is nobody's number
	}
	return n
}

// offsetOf is the last argument, which must be an offset or no text at all.
func offsetOf(args []json.RawMessage) (o backplane.Offset, ok bool, err error) {
	if len(args) == 0 {
		return o, false, fmt.Errorf("it ends in its name")
	}
	var text *string
	if json.Unmarshal(args[len(args)-1], &text) != nil || text == nil {
		return o, false, nil
	}
	if o, ok = backplane.ParseOffset(*text); !ok {
		err = fmt.Errorf("it ends in text: %s", *text)
	}
	return o, ok, err
}
