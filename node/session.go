package node

import (
	"slices"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// session is what survives a connection: everything about one socket of one
// client that a recovery needs. It belongs to a socket while that is connected
// and to nobody while the client is away.
//
// Lock order: room index → Socket.mu → shard inbox → session.mu → feed.mu.
type session struct {
	srv   *Server
	pid   string // private id: who knows it can continue the session
	sid   string
	ns    string
	birth uint64 // position at which it began

	mu     sync.Mutex
	socket *Socket // nil while the client is away
	floor  backplane.Offset
	k      uint64 // of the latest direct emit
	direct []directItem
	bytes  int
	past   []interval

	// While the client is away.
	open    []joining // rooms it is in
	ownRoom bool
	data    map[string]any
	user    string
	expiry  *time.Timer
	over    bool // ended, moved or expired: it cannot be continued here
	claimed bool // a recovery is under way
}

// directItem is an event that was emitted to this socket alone: at position
// Seq of the log it is the K-th.
type directItem struct {
	backplane.Offset
	frames protocol.Frames
	tail   []byte
}

// interval is a room that the session has left: it was a member for entries
// with since < seq <= until (V9).
type interval struct {
	Room  string `json:"room"`
	Since uint64 `json:"since"`
	Until uint64 `json:"until"`
}

// maxIntervals bounds the past rooms of one session; beyond it the oldest is
// forgotten and the floor goes up to its end.
const maxIntervals = 256

// left notes the end of a membership; the index's lock is held.
func (ss *session) left(room string, since, until uint64) {
	if ss == nil {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if room == ss.sid {
		since = ss.birth
	}
	if since == until {
		return
	}
	if len(ss.past) == maxIntervals {
		ss.raise(backplane.Offset{Position: backplane.Position{Seq: ss.past[0].Until}})
		ss.past = slices.Delete(ss.past, 0, 1)
	}
	ss.past = append(ss.past, interval{room, since, until})
}

// raise lifts the floor: a client that has less cannot be brought up to date.
func (ss *session) raise(o backplane.Offset) {
	if ss.floor.Compare(o) < 0 {
		ss.floor = o
	}
}

// add keeps a direct emit at a position and returns its offset as a JSON
// string.
func (ss *session) add(position uint64, f protocol.Frames) (tail []byte) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.addLocked(position, f)
}

func (ss *session) addLocked(position uint64, f protocol.Frames) (tail []byte) {
	tag, ok := ss.srv.feed.tag(position)
	if !ok {
		// The position has aged out of the ring while nothing was appended;
		// the newest one is always known.
		p := ss.srv.feed.position()
		position, tag = p.Seq, p.Tag
	}
	ss.k++
	it := directItem{Offset: backplane.Offset{Position: backplane.Position{Seq: position, Tag: tag}, K: ss.k, Direct: true}, frames: f}
	it.tail = append(it.Offset.Append([]byte{'"'}), '"')
	ss.direct = append(ss.direct, it)
	ss.bytes += f.Size()
	cfg := &ss.srv.cfg.Recovery
	for len(ss.direct) > cfg.SessionEvents || ss.bytes > cfg.SessionBytes && len(ss.direct) > 0 {
		old := ss.direct[0]
		ss.raise(old.Offset)
		ss.bytes -= old.frames.Size()
		ss.direct[0] = directItem{}
		ss.direct = ss.direct[1:]
	}
	return it.tail
}

// sendRecoverable sends an event that a recovery can repeat: with its offset,
// and a place in the session's ring. While the client is away it is only kept.
func (s *Socket) sendRecoverable(f protocol.Frames) error {
	s.mu.Lock()
	switch s.state {
	case socketConnected:
		s.mu.Unlock()
		if s.conn.session.SendStamped(s.form, func(p uint64) *transport.Message {
			return transport.NewMessage(f, &stamped{s.rec.add(p, f)})
		}) {
			return nil
		}
		// The connection has just ended and OnDisconnect is on its way: stamp
		// has kept the event for the client's return.
		return nil
	case socketEnded:
		s.mu.Unlock()
		return s.rec.addAway(s, f)
	}
	defer s.mu.Unlock()
	// Held back until CONNECT is out. Entries of the log that are held already
	// come before it, whether the shard's position shows them or not.
	p := s.conn.session.Shard().Position()
	for _, h := range s.hold {
		p = max(p, h.Position)
	}
	s.hold = append(s.hold, transport.Cast{Message: transport.NewMessage(f, &stamped{s.rec.add(p, f)})})
	return nil
}

// addAway keeps an event for a client that is away (V20).
func (ss *session) addAway(from *Socket, f protocol.Frames) error {
	ss.mu.Lock()
	if s := ss.socket; s != nil && s != from {
		ss.mu.Unlock()
		return s.sendRecoverable(f) // the client is back
	}
	defer ss.mu.Unlock()
	if ss.over {
		return ErrDisconnected
	}
	ss.addLocked(ss.srv.feed.position().Seq, f)
	return nil
}

// resumeWith ties the session to an accepted socket; ss.mu is held.
func (ss *session) resumeWith(s *Socket) {
	ss.socket, ss.claimed = s, false
	ss.open, ss.data = nil, nil
	if ss.expiry != nil {
		ss.expiry.Stop()
		ss.expiry = nil
	}
}

// recoverable are the ends of a connection after which its client may continue
// the session: all that the application did not ask for and that are not the
// client's fault.
func recoverable(r Reason) bool {
	switch r {
	case transport.ReasonTransportClose, transport.ReasonTransportError, transport.ReasonPingTimeout,
		transport.ReasonForcedClose, transport.ReasonServerShutdown, transport.ReasonSlowConsumer:
		return true
	}
	return false
}

// suspend hands an ended socket's state to its session, to wait for the client;
// the index's lock is held, so not a single broadcast falls between the two.
func (s *Socket) suspend() {
	ss := s.rec
	if ss == nil {
		return
	}
	s.mu.Lock()
	reason, data := s.reason, s.data
	s.mu.Unlock()
	rooms := make([]joining, 0, len(s.places))
	for _, p := range s.places {
		rooms = append(rooms, joining{name: p.room.name, since: p.since, kept: true})
	}
	ss.wait(s, reason, rooms, data)
}

// suspendPending is suspend for a socket that was never accepted.
func (s *Socket) suspendPending() {
	if s.rec == nil {
		return
	}
	rooms := slices.Clone(s.joining)
	for i := range rooms {
		rooms[i].kept = true
	}
	s.rec.wait(s, transport.ReasonTransportClose, rooms, s.data)
}

func (ss *session) wait(s *Socket, r Reason, rooms []joining, data map[string]any) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over {
		return
	}
	ss.socket, ss.claimed = nil, false
	if !recoverable(r) {
		ss.forget()
		return
	}
	ss.open, ss.ownRoom, ss.data, ss.user = rooms, s.ownRoom, data, s.User()
	ss.expiry = time.AfterFunc(ss.srv.cfg.Recovery.Window, ss.drop)
}

// drop ends a session for good.
func (ss *session) drop() {
	if ss == nil {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.forget()
}

// forget takes the session out of the table; ss.mu is held.
func (ss *session) forget() {
	if ss.over {
		return
	}
	ss.over = true
	ss.direct, ss.past, ss.open, ss.data = nil, nil, nil, nil
	if ss.expiry != nil {
		ss.expiry.Stop()
		ss.expiry = nil
	}
	ss.srv.recovery.remove(ss.pid)
}

// gets is the predicate of V9 for an entry: some target room's interval holds
// it and no excepted room's does. ss.mu is held.
func (ss *session) gets(k *kept) bool {
	if k.env.Namespace != ss.ns || k.env.Kind != backplane.KindEvent || k.Seq <= ss.birth {
		return false
	}
	t := &k.env.Target
	if len(t.Rooms) > 0 && !ss.within(t.Rooms, k.Seq) {
		return false
	}
	return !ss.within(t.Except, k.Seq)
}

func (ss *session) within(rooms []string, seq uint64) bool {
	for _, r := range rooms {
		if r == ss.sid && ss.ownRoom {
			return true
		}
		for i := range ss.open {
			if ss.open[i].name == r && ss.open[i].since < seq {
				return true
			}
		}
		for i := range ss.past {
			if p := &ss.past[i]; p.Room == r && p.Since < seq && seq <= p.Until {
				return true
			}
		}
	}
	return false
}
