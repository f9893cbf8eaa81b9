package node

import (
	"context"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// takeBody asks a session's home to hand it over (V11).
type takeBody struct {
	PID  string `json:"pid,omitzero"`
	By   string `json:"by,omitzero"`   // boot id of the asking node
	User string `json:"user,omitzero"` // whom the asking client was authenticated as
	NS   string `json:"ns,omitzero"`
}

// takenSession is the answer: the state, or where it went, or nothing.
type takenSession struct {
	Moved  string         `json:"moved,omitzero"`
	OK     bool           `json:"ok,omitzero"`
	SID    string         `json:"sid,omitzero"`
	Birth  uint64         `json:"birth,omitzero"`
	Floor  string         `json:"floor,omitzero"`
	K      uint64         `json:"k,omitzero"`
	Own    bool           `json:"own,omitzero"`
	Open   []interval     `json:"open,omitzero"` // Until is 0
	Past   []interval     `json:"past,omitzero"`
	Data   map[string]raw `json:"data,omitzero"`
	User   string         `json:"user,omitzero"`
	Direct []takenDirect  `json:"direct,omitzero"`
}

type takenDirect struct {
	Offset string   `json:"offset"`
	Text   string   `json:"text"`
	Binary []packed `json:"binary,omitzero"`
}

// packed is bytes that travel as base64 text and not as an attachment.
type packed []byte

// maxHops bounds the chase after a session that moved on.
const maxHops = 3

// take makes this node the only owner of a session that no socket has. It
// returns nil if there is none, or it belongs to somebody else.
func (r *recovery) take(ctx context.Context, s *Socket, pid string) *session {
	if ss := r.detach(pid, s.ns.name, s.User()); ss != nil {
		return ss
	}
	next := homeOf(pid)
	r.mu.Lock()
	if t, ok := r.moved[pid]; ok {
		next = t.node
	}
	r.mu.Unlock()
	for hop := 0; hop < maxHops && next != r.srv.id && next != ""; hop++ {
		t, ok := r.askForSession(ctx, next, takeBody{PID: pid, By: r.srv.id, User: s.User(), NS: s.ns.name})
		switch {
		case !ok:
			return nil
		case t.OK:
			return r.restore(pid, s.ns.name, t)
		}
		next = t.Moved
	}
	return nil
}

func (r *recovery) askForSession(ctx context.Context, node string, body takeBody) (takenSession, bool) {
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	env := &backplane.Envelope{
		Kind: backplane.KindOperation, Op: opTake, Origin: r.srv.id, ID: r.srv.nextEnvelope(), Namespace: body.NS,
		Data: encodeBody(&operation{Take: body}), Timeout: takeTimeout,
	}
	var t takenSession
	ok := false
	for reply, err := range r.srv.cfg.Backplane.Request(ctx, backplane.Node(node), env, nil) {
		if err != nil {
			return t, false // its home is dead or cannot be reached
		}
		if reply.Envelope != nil && protocol.JSON.DecodeValue(reply.Envelope.Data, nil, &t) == nil {
			ok = true
		}
	}
	return t, ok
}

// takeTimeout bounds the wait for a session's home; a client waits meanwhile.
const takeTimeout = 5 * time.Second

// detach takes a local session away from its socket, if it has one, and
// reserves it for the caller. A client that changed networks comes back while
// its old connection still looks alive: that connection ends here.
func (r *recovery) detach(pid, ns, user string) *session {
	ss := r.session(pid)
	if ss == nil || ss.ns != ns {
		return nil
	}
	ss.mu.Lock()
	if ss.over || ss.claimed {
		ss.mu.Unlock()
		return nil
	}
	ss.claimed = true // one claimant at a time
	s := ss.socket
	ss.mu.Unlock()
	if s != nil {
		owner := s.User()
		if user != "" && owner != user {
			ss.release()
			return nil
		}
		s.end(transport.ReasonForcedClose)
		s.conn.session.Abort(transport.ReasonForcedClose)
		s.ns.withdraw(s)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over || ss.user != user && user != "" {
		ss.claimed = false
		return nil
	}
	ss.claimed = true
	return ss
}

// release gives a reservation back.
func (ss *session) release() {
	ss.mu.Lock()
	ss.claimed = false
	ss.mu.Unlock()
}

// serveTake hands a session of this node over to another.
func (r *recovery) serveTake(body takeBody) []byte {
	if r == nil {
		return encodeBody(takenSession{})
	}
	r.mu.Lock()
	t, gone := r.moved[body.PID]
	r.mu.Unlock()
	if gone {
		return encodeBody(takenSession{Moved: t.node})
	}
	ss := r.detach(body.PID, body.NS, body.User)
	if ss == nil {
		return encodeBody(takenSession{})
	}
	ss.mu.Lock()
	out := takenSession{
		OK: true, SID: ss.sid, Birth: ss.birth, K: ss.k, Own: ss.ownRoom, Past: ss.past,
		Data: encodeData(r.srv.cfg.Codec, ss.data), User: ss.user,
	}
	if ss.floor != (backplane.Offset{}) {
		out.Floor = ss.floor.String()
	}
	for _, j := range ss.open {
		out.Open = append(out.Open, interval{Room: j.name, Since: j.since})
	}
	for i := range ss.direct {
		d := &ss.direct[i]
		td := takenDirect{Offset: d.Offset.String(), Text: string(d.frames.Text)}
		for _, b := range d.frames.Binary {
			td.Binary = append(td.Binary, b)
		}
		out.Direct = append(out.Direct, td)
	}
	answer := encodeBody(out)
	ss.forget()
	ss.mu.Unlock()
	r.bury(body.PID, body.By)
	return answer
}

// bury remembers for the window where a session went.
func (r *recovery) bury(pid, node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved[pid] = tombstone{node: node, timer: time.AfterFunc(r.srv.cfg.Recovery.Window, func() {
		r.mu.Lock()
		delete(r.moved, pid)
		r.mu.Unlock()
	})}
}

// restore makes the session that another node handed over.
func (r *recovery) restore(pid, ns string, t takenSession) *session {
	ss := &session{
		srv: r.srv, pid: pid, sid: t.SID, ns: ns, birth: t.Birth, k: t.K, ownRoom: t.Own, past: t.Past, user: t.User, claimed: true,
	}
	if t.Floor != "" {
		ss.floor, _ = backplane.ParseOffset(t.Floor)
	}
	for _, i := range t.Open {
		ss.open = append(ss.open, joining{name: i.Room, since: i.Since, kept: true})
	}
	for _, d := range t.Direct {
		o, ok := backplane.ParseOffset(d.Offset)
		if !ok {
			continue
		}
		it := directItem{Offset: o, frames: protocol.Frames{Text: []byte(d.Text)}, tail: append(append([]byte{'"'}, d.Offset...), '"')}
		for _, b := range d.Binary {
			it.frames.Binary = append(it.frames.Binary, b)
		}
		ss.direct = append(ss.direct, it)
		ss.bytes += it.frames.Size()
	}
	if len(t.Data) > 0 {
		ss.data = make(map[string]any, len(t.Data))
		for k, v := range t.Data {
			ss.data[k] = rawData(v)
		}
	}
	return ss
}
