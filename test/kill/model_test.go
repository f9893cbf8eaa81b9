package kill

import (
	"fmt"
	"sync"
	"time"
)

// class is what is wrong.
type class string

const (
	gap     class = "gap"
	double  class = "double or out of order"
	phantom class = "not due"
	falsely class = "false recovered"
	lost    class = "acknowledged and not in the log"
	other   class = "other"
)

// model holds all that is known: what servers said of what they emitted, and
// what went wrong.
type model struct {
	mu     sync.Mutex
	faults []string // the first ones
	count  map[class]int
	apart  []string // what is excused by ErrNotJournaled, the first ones
	excuse map[class]int

	acked            map[string]bool // events by name
	lastAck          time.Time
	pause            time.Duration // the longest one between two acknowledgements
	unknown, refused int
	refusals         []string // the first ones
	newest           string   // why the last one was refused
	notJournaled     int      // answers

	claims, recovered   int // of clients that came back in time with a session
	controls, toldFalse int // of clients that did not
}

func newModel() *model {
	return &model{count: make(map[class]int), excuse: make(map[class]int), acked: make(map[string]bool)}
}

const faultsKept = 20

func (m *model) fault(c class, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count[c]++
	if len(m.faults) < faultsKept {
		m.faults = append(m.faults, fmt.Sprintf("%s: ", c)+fmt.Sprintf(format, args...))
	}
}

// setApart notes a deviation that the contract allows.
func (m *model) setApart(c class, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.excuse[c]++
	if len(m.apart) < faultsKept {
		m.apart = append(m.apart, fmt.Sprintf("%s: ", c)+fmt.Sprintf(format, args...))
	}
}

// outcome takes what a server says of an event that it emitted.
func (m *model) outcome(origin, what, kind string, n uint64, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch what {
	case "ack":
		m.acked[fmt.Sprintf("%s:%s:%d", kind, origin, n)] = true
		if now := time.Now(); m.lastAck.IsZero() {
			m.lastAck = now
		} else {
			m.pause, m.lastAck = max(m.pause, now.Sub(m.lastAck)), now
		}
		return
	case "unknown":
		m.unknown++
	case "refused":
		m.refused++
		m.newest = why
	}
	if len(m.refusals) < faultsKept {
		m.refusals = append(m.refusals, fmt.Sprintf("%s %s:%s:%d: %s", what, kind, origin, n, why))
	}
}

// refusal is how many emits were refused, and why the last one was.
func (m *model) refusal() (n int, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refused, m.newest
}

// rate is the share in percent, of clients that came back in time, of those that
// recovered.
func (m *model) rate() float64 { return 100 * float64(m.recovered) / float64(max(m.claims, 1)) }

func (m *model) failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.faults) > 0
}

// entry is one of the log.
type entry struct {
	seq  uint64
	name string
	room string
}

// change is a join or a leave. It happened behind after and not behind by, the
// log's positions; by is 0 as long as nobody said that it happened.
type change struct {
	id        int
	room      string
	join      bool
	after, by uint64
	cut       bool // the connection was lost before the answer came
}

// session is what a client has from one connect that recovered nothing to the
// next.
type session struct {
	client int
	sid    string

	changes  []*change
	got      []entry         // durable events, in the order of their arrival
	last     uint64          // the highest position seen
	returns  []int           // len(got) at each recovery
	under    map[string]bool // rooms of which a change is not stored
	apart    bool            // the connection was lost under such a change
	complete bool            // nothing ended it before the log's end
}

// span is a stretch of the log: certainly in the room, certainly not, or one in
// which it changed.
type span struct {
	upTo   uint64
	state  spanState
	change *change
}

type spanState uint8

const (
	out spanState = iota
	in
	entering
	leaving
)

// spans are what the session's changes say about a room, in the log's order; the
// last one has no end.
func (ss *session) spans(room string) []span {
	var list []span
	state := out
	for _, c := range ss.changes {
		if c.room != room {
			continue
		}
		next, while := out, leaving
		if c.join {
			next, while = in, entering
		}
		if state == next {
			continue // a change that is made already changes nothing
		}
		list = append(list, span{c.after, state, nil})
		if c.by == 0 {
			return append(list, span{^uint64(0), while, c})
		}
		list = append(list, span{c.by, while, c})
		state = next
	}
	return append(list, span{^uint64(0), state, nil})
}
