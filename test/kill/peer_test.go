package kill

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
)

// The kinds of clients.
const (
	goClient = "Go"
	jsClient = "JavaScript 4.8.4"
)

// peer is one client as the checker sees it, whatever it is made of.
type peer struct {
	model *model
	index int
	kind  string
	home  string                          // the room that it is always in, if it has one
	send  func(event string, args ...any) // if it is connected
	away  func(time.Duration)             // cut, and be back so much later

	mu        sync.Mutex
	up        bool
	since     time.Time // up, or not
	leave     bool      // it was sent away
	control   bool      // for longer than its session lives
	cur       *session
	all       []*session
	open      *change                  // not answered yet
	ids       int                      // of changes
	rooms     map[string]bool          // in which it is, or wants to be
	again     map[string]*change       // by room: to be made again, since they are not stored
	lasts     map[string]bool          // boots whose last event came
	reconnect map[string]time.Duration // the longest time away, by what came of it
	drops     int
	trace     []string        // what happened last
	kept      map[uint64]bool // positions of events that came while it was not connected
}

// note keeps what happened last. p.mu is held.
func (p *peer) note(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf(format, args...))
	if len(p.trace) > traceKept {
		p.trace = p.trace[1:]
	}
}

const traceKept = 24

func newPeer(m *model, index int, kind string) *peer {
	return &peer{model: m, index: index, kind: kind, since: time.Now(), lasts: make(map[string]bool), reconnect: make(map[string]time.Duration)}
}

// connected notes what the client's library says about a new connection. claimed
// says that it presented a session.
func (p *peer) connected(sid string, recovered, claimed bool, window time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("connect %s, recovered %v", sid, recovered)
	away := time.Since(p.since)
	wasControl := p.control && away > window
	p.up, p.since, p.leave, p.control = true, time.Now(), false, false
	if claimed {
		p.claim(recovered, wasControl, away, window)
	}
	if recovered {
		if p.cur == nil || p.cur.sid != sid {
			p.model.fault(falsely, "client %d: recovered is said of session %s, and it has another", p.index, sid)
			return
		}
		p.cur.returns = append(p.cur.returns, len(p.cur.got))
		if p.open != nil {
			p.ask()
		}
		return
	}
	if p.cur != nil && p.cur.sid == sid {
		p.model.fault(falsely, "client %d: session %s is the one before, and recovered is not said", p.index, sid)
	}
	p.cur = &session{client: p.index, sid: sid, under: make(map[string]bool)}
	p.all = append(p.all, p.cur)
	p.open = nil
	p.kept = make(map[uint64]bool)
	p.rooms, p.again = make(map[string]bool), make(map[string]*change)
}

// claim counts an attempt to go on with a session. p.mu is held.
func (p *peer) claim(recovered, control bool, away, window time.Duration) {
	m := p.model
	m.mu.Lock()
	switch {
	case control:
		m.controls++
		if !recovered {
			m.toldFalse++
		}
	case away > window:
	default:
		m.claims++
		if recovered {
			m.recovered++
		}
	}
	m.mu.Unlock()
	if control && recovered {
		m.fault(falsely, "client %d was away for %v of a window of %v, and recovered", p.index, away, window)
	}
	what := "not recovered"
	if recovered {
		what = "recovered"
	}
	if !control {
		p.reconnect[what] = max(p.reconnect[what], away)
	}
}

func (p *peer) disconnected(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("disconnect: %s", why)
	if !p.up {
		return
	}
	p.up, p.since = false, time.Now()
	clear(p.kept)
	p.drops++
	if p.open != nil {
		p.open.cut = true
	}
	if len(p.cur.under) > 0 {
		p.cur.apart = true
	}
}

// ask sends the change that is open. p.mu is held.
func (p *peer) ask() {
	p.send("room", p.open.id, p.open.join, roomNumber(p.open.room))
}

// change begins a change of the client's rooms, and reports false if none can
// be asked for. One that is not stored yet goes before a new one.
func (p *peer) change(pick func(n int) int, rooms int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up || p.open != nil {
		return false
	}
	var c *change
	for _, again := range p.again {
		c = &change{room: again.room, join: again.join}
	}
	if c == nil {
		room := roomName(pick(rooms))
		join := !p.rooms[room]
		if room == p.home || join && len(p.rooms) >= maxRooms {
			return false
		}
		c = &change{room: room, join: join}
	}
	p.begin(c)
	return true
}

// begin asks for a change. p.mu is held.
func (p *peer) begin(c *change) {
	if c.join {
		p.rooms[c.room] = true
	} else {
		delete(p.rooms, c.room)
	}
	p.ids++
	c.id, c.after = p.ids, p.cur.last
	p.open = c
	p.cur.changes = append(p.cur.changes, c)
	p.ask()
}

// maxRooms is in how many rooms a client is at most.
const maxRooms = 4

// event takes one event: its arguments but for the last one, which is offset.
func (p *peer) event(name string, offset json.RawMessage, args []json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var text string
	_ = json.Unmarshal(offset, &text)
	o, ok := backplane.ParseOffset(text)
	ss := p.cur
	if !ok || ss == nil {
		p.model.fault(other, "client %d: %s has no offset or came before a session: %s", p.index, name, offset)
		return
	}
	kind, rest, _ := strings.Cut(name, ":")
	direct := kind == "born" || kind == "done"
	switch {
	case p.kept[o.Seq]:
		// Its library had taken it in the moment at which the connection ended,
		// kept it, and asked for it again.
		p.model.setApart(double, "client %d had kept %s at %d while it was not connected; before: %q", p.index, name, o.Seq, p.trace)
		delete(p.kept, o.Seq)
		return
	case !p.up && !direct:
		p.kept[o.Seq] = true
	}
	if o.Seq < ss.last || !direct && o.Seq == ss.last {
		p.model.tell(ss, double, false, "%s at %d came behind %d; connected %v; before: %q", name, o.Seq, ss.last, p.up, p.trace)
	}
	ss.last = max(ss.last, o.Seq)
	p.note("%d %s", o.Seq, name)
	switch kind {
	case "e", "o":
		ss.got = append(ss.got, entry{seq: o.Seq, name: name})
	case "born":
		if word(args, 0) != ss.sid {
			p.model.fault(falsely, "client %d: session %s begins, and it was told %s", p.index, word(args, 0), ss.sid)
		}
		if p.home != "" {
			p.begin(&change{room: p.home, join: true})
		}
	case "done":
		p.done(int(number(args, 0)), word(args, 1), o.Seq)
	case "last":
		p.lasts[rest] = true
	default:
		p.model.fault(other, "client %d: unknown event %s", p.index, name)
	}
}

// done takes the answer to a change. p.mu is held.
func (p *peer) done(id int, what string, at uint64) {
	c := p.open
	if c == nil || c.id != id {
		return // an answer that came before, from another server
	}
	p.open = nil
	c.by = max(at, 1)
	switch what {
	case "":
		// All that is known of the session was stored with it.
		clear(p.again)
		clear(p.cur.under)
	case notJournaled:
		p.again[c.room] = c
		p.cur.under[c.room] = true
		p.model.mu.Lock()
		p.model.notJournaled++
		p.model.mu.Unlock()
	default:
		p.model.fault(other, "client %d: a change of rooms failed: %s", p.index, what)
	}
}

// idle reports whether the client is connected and nothing is open.
func (p *peer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up && p.open == nil
}

// isBack reports whether the client is connected, if it was not sent away.
func (p *peer) isBack() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up || p.leave
}

// stay has the client go away, as a control if that is for longer than its
// session lives. It reports false if it is not there.
func (p *peer) stay(d time.Duration, control bool) bool {
	p.mu.Lock()
	ok := p.up && p.open == nil
	p.leave = p.leave || ok
	p.control = p.control || ok && control
	p.mu.Unlock()
	if ok {
		p.away(d)
	}
	return ok
}

// heard reports whether the last events of all boots came.
func (p *peer) heard(boots []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(boots, func(b string) bool { return !p.lasts[b] })
}
