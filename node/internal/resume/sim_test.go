package resume

import (
	"fmt"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// The parts of a cluster that matter to a recovery, as plain as they can be: a
// log, nodes that apply it entry by entry and shard by shard, links that lose
// what is under way, and for each client a list of all that it should get.

type simLog []*backplane.Envelope // the entry at sequence i+1

type simNode struct {
	log    *simLog
	ring   Ring
	shards []uint64 // position of each
	p      uint64   // published: every shard has it
}

func newSimNode(log *simLog, shards int) *simNode {
	n := &simNode{log: log, shards: make([]uint64, shards)}
	n.ring.Jump(simPosition(0))
	return n
}

// String keeps a failure readable.
func (n *simNode) String() string {
	return fmt.Sprintf("ring (%d, %d] shards %v at %d", n.ring.Base().Seq, n.ring.Newest().Seq, n.shards, n.p)
}

func simPosition(seq uint64) backplane.Position {
	return backplane.Position{Seq: seq, Tag: backplane.NewTag(time.Unix(0, 0), seq, time.Unix(int64(seq), 0))}
}

// busy reports whether an entry is with some shards and not with others.
func (n *simNode) busy() bool { return n.ring.Newest().Seq > n.p }

// advance does the next bit of work: take an entry into the ring, give it to
// one more shard, or publish the position.
func (n *simNode) advance() (posted int) {
	if !n.busy() {
		if n.p == uint64(len(*n.log)) {
			return -1
		}
		env := (*n.log)[n.p]
		n.ring.Add(NewEntry(backplane.Entry{Position: simPosition(n.p + 1), Stored: time.Unix(int64(n.p+1), 0), Envelope: env}))
		return -1
	}
	for i, at := range n.shards {
		if at == n.p {
			n.shards[i] = n.p + 1
			return i
		}
	}
	n.p++
	return -1
}

// frame is something on its way to a client. A fast one belongs after a number
// of the things that the client should get.
type frame struct {
	id    string
	tail  []byte
	fast  bool
	after int
}

type linkState uint8

const (
	away    linkState = iota
	pending           // claimed, and not accepted yet
	live
)

// simSession is the server's side of a session.
type simSession struct {
	h     *History
	node  *simNode
	state linkState
	shard int
	span  Span
	held  []frame
	at    []uint64 // where these were held back
	limit Limits
	kept  *State // as stored, nil before the first time

	// The truth: who is where, and what should have come of it.
	rooms  map[string]bool
	passed uint64
	should []string
	sent   int // direct emits so far
}

// where is the position of what the session is with: its shard, or the node.
func (s *simSession) where() uint64 {
	if s.state == away {
		return s.node.p
	}
	return s.node.shards[s.shard]
}

// clock is how far the session has come in the log. A shard can be ahead of
// its node, so a session that leaves one may be, too.
func (s *simSession) clock() uint64 { return max(s.where(), s.passed) }

// pass looks at each entry that went by since the last time.
func (s *simSession) pass() {
	for ; s.passed < s.clock(); s.passed++ {
		env := (*s.node.log)[s.passed]
		in := func(rooms []string) bool {
			return slices.ContainsFunc(rooms, func(r string) bool { return s.rooms[r] })
		}
		if (len(env.Target.Rooms) == 0 || in(env.Target.Rooms)) && !in(env.Target.Except) {
			s.should = append(s.should, fmt.Sprint(s.passed+1))
		}
	}
}

func (s *simSession) join(room string) {
	s.pass()
	s.rooms[room] = true
	s.h.Join(room, s.h.Place(s.where()))
}

func (s *simSession) leave(room string) {
	s.pass()
	delete(s.rooms, room)
	s.h.Leave(room, s.h.Place(s.where()), s.node.ring.Base().Seq)
}

// emit emits directly; the frame is for the link, if there is one.
func (s *simSession) emit() frame {
	s.pass()
	s.sent++
	id := fmt.Sprintf("d%d", s.sent)
	s.should = append(s.should, id)
	at, ok := s.node.ring.At(s.h.Place(s.where()))
	if !ok {
		panic("the position of a session is unknown")
	}
	return frame{id: id, tail: s.h.Emit(Direct{At: at, Frames: protocol.Frames{Text: []byte(id)}}, s.limit)}
}

// hold keeps a frame for a pending session.
func (s *simSession) hold(f frame) {
	s.held = append(s.held, f)
	s.at = append(s.at, s.h.Place(s.where()))
}

// enter puts a session whose claim was accepted, or which is new, on a shard.
func (s *simSession) enter(shard int, from backplane.Offset) {
	s.pass()
	s.state, s.shard, s.span = pending, shard, s.h.Span(from)
	s.held, s.at = nil, nil
	s.pass()
}

// accept returns what goes out first, or false if it is not at hand any more.
func (s *simSession) accept() ([]frame, bool) {
	s.pass()
	steps, v := s.h.Replay(&s.node.ring, s.span, s.where(), s.at, s.limit)
	if v != Resumable {
		return nil, false
	}
	out := make([]frame, len(steps))
	for i, st := range steps {
		switch {
		case st.Entry != nil:
			out[i] = frame{id: fmt.Sprint(st.Entry.Seq), tail: st.Entry.Tail}
		case st.Direct != nil:
			out[i] = frame{id: string(st.Direct.Frames.Text), tail: st.Direct.Tail()}
		default:
			out[i] = s.held[st.Held]
		}
	}
	s.state = live
	return out, true
}

// withdraw takes the session off its link.
func (s *simSession) withdraw() {
	if s.state == away {
		return
	}
	s.pass()
	s.h.Reached(s.where())
	s.state = away
}

// simClient is the client: it knows what it received and the last offset.
type simClient struct {
	session  *simSession // whose id it has; nil before the first
	link     []frame     // under way
	linked   bool        // as the client sees it
	wired    bool        // as the server sees it: the link is that of session
	offset   []byte      // what it presents
	got      []string
	received int // of the session's list
}

// send puts frames on the link that the session believes in. If the client has
// left it, they are lost.
func (c *simClient) send(frames ...frame) {
	if c.linked && c.wired {
		c.link = append(c.link, frames...)
	}
}

// take receives the next frame and returns what is wrong with it.
func (c *simClient) take() error {
	f := c.link[0]
	c.link = c.link[1:]
	if f.fast {
		if f.after != c.received {
			return fmt.Errorf("a fast event came after %d events, not %d", c.received, f.after)
		}
		return nil
	}
	want := "nothing"
	if c.received < len(c.session.should) {
		want = c.session.should[c.received]
	}
	if f.id != want {
		return fmt.Errorf("received %s after %v, should get %s\nall of it: %v", f.id, c.got, want, c.session.should)
	}
	c.got = append(c.got, f.id)
	c.received++
	c.offset = f.tail
	return nil
}
