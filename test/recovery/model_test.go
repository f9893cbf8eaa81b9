package recovery

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/siod-io/siod/node"
)

// model is what all clients should receive.
type model struct {
	mu       sync.Mutex
	kinds    []string            // by client
	sessions map[string]*session // by socket id
	live     []*session          // that may still be continued
	newest   []*session          // by client: whose OnConnect ran last
	faults   []string            // the first ones
	count    map[class]int
	givenUp  int               // sessions, see giveUp
	tally    map[string]*tally // by kind
}

// class is what is wrong.
type class string

const (
	gap     class = "gap"
	double  class = "double"
	falsely class = "false recovered"
	other   class = "other"
)

// tally counts the claims of clients of one kind.
type tally struct{ claims, recovered, excused, refused int }

// session is one session: what its client is due, and what came.
type session struct {
	sid    string
	client int
	home   int // the server on which it began

	mu      sync.Mutex
	handles []*node.Socket // its latest sockets, the last one last
	at      int            // server of the latest
	rooms   map[string]bool

	unsure   bool     // whether it is in a room: the plan is not checked any more
	due      []string // of the plan: one emitter at a time, in its order
	received int
	side     int // direct events of other emitters
	sideSeen int

	born uint64   // position at which it was in the room of all; 0: the client has not got as far
	all  []uint64 // positions of the events that everybody gets
}

// newModel is a model of clients of the given kinds.
func newModel(kinds ...string) *model {
	m := &model{
		kinds: kinds, sessions: make(map[string]*session), newest: make([]*session, len(kinds)),
		count: make(map[class]int), tally: make(map[string]*tally),
	}
	for _, k := range kinds {
		m.tally[k] = new(tally)
	}
	return m
}

func (m *model) fault(c class, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faultLocked(c, format, args...)
}

func (m *model) faultLocked(c class, format string, args ...any) {
	m.count[c]++
	if len(m.faults) < 20 {
		m.faults = append(m.faults, fmt.Sprintf("%s: ", c)+fmt.Sprintf(format, args...))
	}
}

func (m *model) failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.faults) > 0
}

// connected notes a socket of a client: of a session that goes on, or of a new
// one. claimed says that the client presented a session, and id which one, if it
// got as far as to know; answered tells of which servers it could be had.
func (m *model) connected(s *node.Socket, client, at int, claimed bool, id string, answered func(int) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.sessions[id]
	if was == nil {
		was = m.newest[client]
	}
	t := m.tally[m.kinds[client]]
	ss := m.sessions[s.ID()]
	switch {
	case s.Recovered():
		t.claims++
		t.recovered++
		if ss == nil || ss.client != client {
			m.faultLocked(falsely, "client %d recovered a session that is not its own", client)
			return
		}
	case claimed && was != nil:
		t.claims++
		if answered(was.at) && answered(was.home) && answered(at) {
			t.refused++
		} else {
			t.excused++
		}
		ss = m.begin(s.ID(), client, at)
	default:
		ss = m.begin(s.ID(), client, at)
	}
	m.newest[client] = ss
	ss.mu.Lock()
	defer ss.mu.Unlock()
	// An old socket keeps all that its session and its connection held.
	ss.handles = append(slices.Clone(ss.handles[max(0, len(ss.handles)-2):]), s)
	ss.at = at
}

// begin notes a new session; m.mu is held.
func (m *model) begin(sid string, client, at int) *session {
	ss := &session{sid: sid, client: client, home: at, rooms: make(map[string]bool)}
	m.sessions[sid] = ss
	m.live = append(m.live, ss)
	return ss
}

func (m *model) byID(sid string) *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[sid]
}

// lives lists the sessions that may still be continued. Of one client there are
// two for a while if a server believes in a connection that its client has left.
func (m *model) lives() []*session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.live)
}

// known lists all sessions that there ever were.
func (m *model) known() []*session {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*session, 0, len(m.sessions))
	for _, ss := range m.sessions {
		all = append(all, ss)
	}
	return all
}

// over notes that a session has ended.
func (m *model) over(ss *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live = slices.DeleteFunc(m.live, func(s *session) bool { return s == ss })
}

// giveUp is over for a session of which nobody knows whether it left a room.
func (m *model) giveUp(ss *session) {
	m.over(ss)
	m.mu.Lock()
	m.givenUp++
	m.mu.Unlock()
	ss.mu.Lock()
	ss.unsure = true
	ss.mu.Unlock()
}

// latest is the socket that the session was last seen with.
func (ss *session) latest() *node.Socket { return ss.handles[len(ss.handles)-1] }

// recovered is what the server says about it.
func (ss *session) recovered() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.latest().Recovered()
}

// direct emits on one of the session's sockets, which may have been left, and
// notes the event if it was taken.
func (ss *session) direct(pick func(n int) int, id string, emit func(*node.Socket) error) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	err := emit(ss.handles[pick(len(ss.handles))])
	if err == nil {
		ss.due = append(ss.due, id)
	}
	return err
}

// planned checks an event of the plan. It returns what is wrong, and "" if
// nothing is.
func (ss *session) planned(id string) (class, string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.unsure {
		return "", ""
	}
	n := ss.received
	if n < len(ss.due) && ss.due[n] == id {
		ss.received++
		return "", ""
	}
	c := other
	switch {
	case slices.Contains(ss.due[:n], id):
		c = double
	case slices.Contains(ss.due[n:], id):
		c = gap
	}
	return c, fmt.Sprintf("client %d received %s after %d events; due were %s", ss.client, id, n,
		strings.Join(ss.due[max(0, n-3):min(len(ss.due), n+4)], " "))
}

// aside checks a direct event that the plan does not know; they are numbered.
func (ss *session) aside(n int) (class, string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	want := ss.sideSeen + 1
	switch {
	case n > want:
		return gap, fmt.Sprintf("client %d: side event %d, not %d", ss.client, n, want)
	case n < want:
		return double, fmt.Sprintf("client %d: side event %d, not %d", ss.client, n, want)
	}
	ss.sideSeen++
	return "", ""
}

// public notes an event that everybody gets.
func (ss *session) public(seq uint64) (class, string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if n := len(ss.all); n > 0 && ss.all[n-1] >= seq {
		return double, fmt.Sprintf("client %d: position %d after %d", ss.client, seq, ss.all[n-1])
	}
	ss.all = append(ss.all, seq)
	return "", ""
}

// settled reports whether all that is due has come.
func (ss *session) settled() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return (ss.unsure || ss.received == len(ss.due)) && ss.sideSeen == ss.side
}

// reached reports whether the last of the events for everybody has come, which
// stands at a position.
func (ss *session) reached(last uint64) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.born >= last || len(ss.all) > 0 && ss.all[len(ss.all)-1] >= last
}

// sequenced is how many events came that recovery answers for.
func (ss *session) sequenced() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.received + ss.sideSeen + len(ss.all)
}

// checkAll compares the events that everybody gets with those of a witness,
// which are sorted. Of a session that ended the last ones may be missing.
func (ss *session) checkAll(witness []uint64, ended bool) (class, string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.born == 0 && ended {
		return "", ""
	}
	after := func(list []uint64) []uint64 {
		i, _ := slices.BinarySearch(list, ss.born+1)
		return list[i:]
	}
	got, want := after(ss.all), after(witness)
	if ended && len(got) < len(want) {
		want = want[:len(got)]
	}
	if slices.Equal(got, want) {
		return "", ""
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	return gap, fmt.Sprintf("client %d: born at %d, received %d events for everybody, not %d; from %v, not %v",
		ss.client, ss.born, len(got), len(want), head(got[i:]), head(want[i:]))
}

func head(list []uint64) []uint64 { return list[:min(5, len(list))] }
