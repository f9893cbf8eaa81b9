package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// recovery holds the sessions of this node that their clients may continue,
// connected or away.
type recovery struct {
	srv  *Server
	feed *feed

	mu       sync.Mutex // guards the maps; taken after a session's lock
	sessions map[string]*session
	moved    map[string]tombstone // sessions that other nodes took
}

// tombstone says where a session went.
type tombstone struct {
	node  string
	timer *time.Timer
}

func newRecovery(srv *Server, f *feed) *recovery {
	return &recovery{srv: srv, feed: f, sessions: make(map[string]*session), moved: make(map[string]tombstone)}
}

// claim is what a client presents to continue its session.
type claim struct {
	pid       string
	offset    backplane.Offset
	hasOffset bool
	none      bool // the client wants no recovery, now or later
}

// splitClaim takes the recovery fields out of a CONNECT payload, so that
// handlers do not see them. "recover": false says that the client's handlers
// take a fixed number of arguments and must not be sent offsets (V4).
func splitClaim(payload []byte) (rest []byte, c *claim) {
	var fields map[string]raw
	if err := protocol.JSON.DecodeValue(payload, nil, &fields); err != nil {
		return payload, nil
	}
	text := func(name string) (string, bool) {
		v, ok := fields[name]
		if !ok {
			return "", false
		}
		delete(fields, name)
		s, err := jsontext.AppendUnquote(nil, v)
		return string(s), err == nil
	}
	off, hasOff := fields["recover"]
	if hasOff && string(off) == "false" {
		delete(fields, "recover")
		delete(fields, "pid")
		delete(fields, "offset")
		c = &claim{none: true}
	} else {
		pid, ok := text("pid")
		offset, okOffset := text("offset")
		if !ok && !okOffset {
			return payload, nil
		}
		if ok {
			c = &claim{pid: pid}
			if okOffset {
				// A string that is no offset of ours came from an event, or
				// from another server; it says nothing.
				c.offset, c.hasOffset = backplane.ParseOffset(offset)
			}
		}
	}
	rest, _, err := protocol.JSON.AppendValue(nil, nil, fields)
	if err != nil {
		return []byte("{}"), c
	}
	return rest, c
}

// attach gives a socket that middleware let in its session: the one that it
// continues, or a new one.
func (r *recovery) attach(ctx context.Context, s *Socket, c *claim) {
	switch {
	case s.Revision() == 3 || c != nil && c.none:
		return // their clients take an offset for an argument
	case c != nil && c.pid != "":
		if r.resume(ctx, s, c) {
			r.srv.stats.recovered.Add(1)
			return
		}
		r.srv.stats.notRecovered.Add(1)
	}
	r.begin(s)
}

// begin makes a new session.
func (r *recovery) begin(s *Socket) {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	ss := &session{
		srv: r.srv, pid: r.srv.id + "." + base64.RawURLEncoding.EncodeToString(b[:]), sid: s.id, ns: s.ns.name,
		birth: r.feed.position().Seq, k: firstAckID(),
	}
	r.adopt(s, ss)
}

func (r *recovery) adopt(s *Socket, ss *session) {
	s.rec = ss
	s.form |= formJSONRecovery
	s.conn.session.SetPolicy(transport.PolicyDisconnect)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[ss.pid] = ss
	if t, ok := r.moved[ss.pid]; ok { // it came back
		t.timer.Stop()
		delete(r.moved, ss.pid)
	}
}

func (r *recovery) session(pid string) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[pid]
}

// remove forgets a session.
func (r *recovery) remove(pid string) {
	r.mu.Lock()
	delete(r.sessions, pid)
	r.mu.Unlock()
}

// reachTimeout bounds the wait for entries that the client has seen elsewhere
// and this node has not (V10).
const reachTimeout = 10 * time.Second

// resume continues the claimed session with socket s, and reports whether it
// could. It could if every event in between can be replayed, for certain.
func (r *recovery) resume(ctx context.Context, s *Socket, c *claim) bool {
	ss := r.take(ctx, s, c.pid)
	if ss == nil {
		return false
	}
	offset, ok := r.judge(ctx, s, ss, c)
	if !ok {
		ss.drop()
		return false
	}
	ss.mu.Lock()
	s.id, s.recovered, s.claimed = ss.sid, true, offset
	s.ownRoom = ss.ownRoom
	s.joining = append(slices.Clone(ss.open), s.joining...)
	s.user.CompareAndSwap(nil, &ss.user)
	if len(ss.data) > 0 {
		s.mu.Lock()
		if s.data == nil {
			s.data = make(map[string]any, len(ss.data))
		}
		for k, v := range ss.data {
			if _, set := s.data[k]; !set { // what middleware set is newer
				s.data[k] = v
			}
		}
		s.mu.Unlock()
	}
	ss.mu.Unlock()
	r.adopt(s, ss)
	return true
}

// judge decides whether what the client presents proves that nothing is
// missing (V3, V10), and returns the offset to replay from.
func (r *recovery) judge(ctx context.Context, s *Socket, ss *session, c *claim) (backplane.Offset, bool) {
	offset := c.offset
	if !c.hasOffset || offset.Seq < ss.birth {
		// It got no event of this session yet; the string may be of an earlier
		// session.
		offset = backplane.Offset{Position: backplane.Position{Seq: ss.birth}}
	} else {
		ctx, cancel := context.WithTimeout(ctx, reachTimeout)
		defer cancel()
		if r.feed.reach(ctx, offset.Seq) != nil || !r.feed.current(offset.Position) {
			return offset, false
		}
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if offset.Direct && !slices.ContainsFunc(ss.direct, func(d directItem) bool { return d.Seq == offset.Seq && d.K == offset.K }) && ss.floor.Compare(offset) != 0 {
		offset.Direct, offset.K = false, 0 // of an earlier session, or another home
	}
	if offset.Compare(ss.floor) < 0 {
		return offset, false
	}
	entries, ok := r.feed.since(offset.Seq, r.feed.position().Seq)
	if !ok {
		return offset, false
	}
	events, bytes := 0, 0
	for i := range entries {
		if ss.gets(&entries[i]) {
			events++
			bytes += entries[i].size
		}
	}
	for i := range ss.direct {
		if ss.direct[i].Compare(offset) > 0 {
			events++
			bytes += ss.direct[i].frames.Size()
		}
	}
	cfg := &r.srv.cfg.Recovery
	return offset, events <= cfg.ReplayEvents && bytes <= cfg.ReplayBytes
}

// replay ties an accepted socket to its session and sends, if it continues an
// earlier one, what its client missed, in order: entries of the log up to where
// live delivery takes over, merged with direct emits. It is called by accept,
// with the index's lock and s.mu held.
func (s *Socket) replay() {
	ss := s.rec
	if ss == nil {
		return
	}
	if !s.recovered {
		ss.mu.Lock()
		ss.resumeWith(s)
		ss.mu.Unlock()
		return
	}
	entries, ok := ss.srv.feed.since(s.claimed.Seq, s.replayTo)
	if !ok {
		// Aged out since it was judged: the promise is given, so the client
		// must come again and learn that it cannot be kept.
		ss.mu.Lock()
		ss.raise(backplane.Offset{Position: backplane.Position{Seq: s.replayTo + 1}})
		ss.mu.Unlock()
		s.conn.session.Abort(transport.ReasonForcedClose)
		return
	}
	ss.mu.Lock()
	var out []*transport.Message
	i := 0
	upTo := func(seq uint64) { // entries come before direct emits of their position
		for ; i < len(entries) && entries[i].Seq <= seq; i++ {
			if ss.gets(&entries[i]) {
				out = append(out, transport.NewMessage(entries[i].env.Frames, &stamped{entries[i].tail}))
			}
		}
	}
	held := make(map[string]bool, len(s.hold))
	for _, h := range s.hold {
		if st, ok := h.Message.Former().(*stamped); ok {
			held[string(st.tail)] = true
		}
	}
	for j := range ss.direct {
		d := &ss.direct[j]
		if d.Compare(s.claimed) > 0 && !held[string(d.tail)] {
			upTo(d.Seq)
			out = append(out, transport.NewMessage(d.frames, &stamped{d.tail}))
		}
	}
	upTo(s.replayTo)
	ss.resumeWith(s) // in the same step: what is emitted from here on goes to s
	ss.mu.Unlock()
	s.conn.session.SendReplay(out, s.form)
}

// reset follows a log that lost entries.
func (r *recovery) reset(rs backplane.Reset) {
	r.mu.Lock()
	all := make([]*session, 0, len(r.sessions))
	for _, ss := range r.sessions {
		all = append(all, ss)
	}
	r.mu.Unlock()
	floor := backplane.Offset{Position: rs.Position}
	for _, ss := range all {
		ss.mu.Lock()
		ss.floor = backplane.Offset{}
		ss.raise(floor)
		ss.past = nil
		for i := range ss.open {
			ss.open[i].since = rs.Position.Seq
		}
		s := ss.socket
		ss.mu.Unlock()
		if s != nil && rs.Reason == backplane.ResetJump {
			s.conn.session.Abort(transport.ReasonForcedClose)
		}
	}
}

// applyWaiting carries an operation on sockets out on sessions whose clients
// are away (V20).
func (r *recovery) applyWaiting(ns *Namespace, op backplane.Op, t *target, body *operation) {
	if r == nil {
		return
	}
	r.mu.Lock()
	all := make([]*session, 0, len(r.sessions))
	for _, ss := range r.sessions {
		all = append(all, ss)
	}
	r.mu.Unlock()
	position := r.feed.position().Seq
	for _, ss := range all {
		ss.mu.Lock()
		if ss.socket == nil && !ss.over && !ss.claimed && ss.ns == ns.name && ss.selectedBy(t) {
			ss.applyAway(op, body, position)
		}
		ss.mu.Unlock()
	}
}

func (ss *session) selectedBy(t *target) bool {
	in := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return n == ss.sid && ss.ownRoom || slices.ContainsFunc(ss.open, func(j joining) bool { return j.name == n })
		})
	}
	return (len(t.rooms) == 0 || in(t.rooms)) && !in(t.except)
}

func (ss *session) applyAway(op backplane.Op, body *operation, position uint64) {
	switch op {
	case opDisconnect:
		ss.forget()
	case opJoin:
		for _, n := range body.Rooms {
			if n == ss.sid {
				ss.ownRoom = true
			} else if !slices.ContainsFunc(ss.open, func(j joining) bool { return j.name == n }) {
				ss.open = append(ss.open, joining{name: n, since: position, kept: true})
			}
		}
	case opLeave:
		for _, n := range body.Rooms {
			if n == ss.sid {
				ss.ownRoom = false
				ss.past = append(ss.past, interval{n, ss.birth, position})
			}
			if i := slices.IndexFunc(ss.open, func(j joining) bool { return j.name == n }); i >= 0 {
				ss.past = append(ss.past, interval{n, ss.open[i].since, position})
				ss.open = slices.Delete(ss.open, i, i+1)
			}
		}
	}
}

// close drops all sessions.
func (r *recovery) close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	all := make([]*session, 0, len(r.sessions))
	for _, ss := range r.sessions {
		all = append(all, ss)
	}
	for _, t := range r.moved {
		t.timer.Stop()
	}
	r.mu.Unlock()
	for _, ss := range all {
		ss.drop()
	}
}

// homeOf is the boot id of the node on which a session began.
func homeOf(pid string) string {
	home, _, _ := strings.Cut(pid, ".")
	return home
}
