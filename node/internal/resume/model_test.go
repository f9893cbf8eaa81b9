package resume

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

// cluster is what the property test drives: everything interleaves except that
// the log is one order, a node applies it one entry at a time, and a link keeps
// the order of what it does not lose.
type cluster struct {
	log     simLog
	nodes   []*simNode
	clients []*simClient
	limit   Limits
	trimmed bool // some ring was trimmed
	hard    bool // without a look at what went
	tight   bool // the bounds of direct emits are tight

	recovered, refused int
	quiet              int // of those that recovered, from where the ring does not reach
	killed             int // sessions continued from what was stored
}

var simRooms = []string{"a", "b", "c"}

// Every client that is told that it recovered receives exactly what the plain
// list says, in its order: no gap, no double. It is refused only for a reason
// that the rules name.
func TestRecoveryAgainstModel(t *testing.T) {
	t.Parallel()
	recovered, refused, quiet := 0, 0, 0
	little := func() bool { return recovered == 0 || refused == 0 || quiet == 0 }
	for i := 0; i < modelRuns || little() && i < 10*modelRuns; i++ {
		rapid.Check(t, func(t *rapid.T) {
			c := newCluster(t)
			t.Repeat(map[string]func(*rapid.T){
				"":       c.check,
				"emit":   c.emit,
				"apply":  c.apply,
				"apply2": c.apply,
				"take":   c.take,
				"take2":  c.take,
				"direct": c.direct,
				"fast":   c.fast,
				"rooms":  c.rooms,
				"drop":   c.drop,
				"notice": c.notice,
				"claim":  c.claim,
				"accept": c.accept,
				"trim":   c.trim,
				"look":   c.look,
				"record": c.record,
				"forget": c.forget,
			})
			c.settle(t)
			recovered, refused, quiet = recovered+c.recovered, refused+c.refused, quiet+c.quiet
		})
	}
	if little() {
		t.Errorf("%d recovered, %d of them after a silence, %d refused: the test tries too little", recovered, quiet, refused)
	}
	t.Logf("recovered %d, %d of them after a silence, refused %d", recovered, quiet, refused)
}

// modelRuns times -rapid.checks (100) schedules are tried, and more of them until
// what is rare has happened: about 8 times in as many, and never in one of a few
// hundred.
const modelRuns = 20

func newCluster(t *rapid.T) *cluster {
	c := &cluster{limit: Limits{SessionEvents: 256, SessionBytes: 1 << 20, ReplayEvents: 10_000, ReplayBytes: 1 << 20}}
	if c.tight = rapid.Bool().Draw(t, "tight"); c.tight {
		c.limit.SessionEvents = 2
	}
	for range rapid.IntRange(1, 3).Draw(t, "nodes") {
		c.nodes = append(c.nodes, newSimNode(&c.log, rapid.IntRange(1, 3).Draw(t, "shards")))
	}
	for range rapid.IntRange(1, 3).Draw(t, "clients") {
		c.clients = append(c.clients, &simClient{})
	}
	return c
}

func (c *cluster) node(t *rapid.T) *simNode { return rapid.SampledFrom(c.nodes).Draw(t, "node") }

// client draws one that fulfils a condition; nil if there is none.
func (c *cluster) client(t *rapid.T, ok func(*simClient) bool) *simClient {
	var fit []int
	for i, cl := range c.clients {
		if ok(cl) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return c.clients[rapid.SampledFrom(fit).Draw(t, "client")]
}

func (c *cluster) emit(t *rapid.T) {
	rooms := rapid.SliceOfN(rapid.SampledFrom(simRooms), 0, 2).Draw(t, "rooms") // also one twice
	var except []string
	if rapid.IntRange(0, 4).Draw(t, "excepting") == 0 {
		except = []string{rapid.SampledFrom(simRooms).Draw(t, "except")}
	}
	c.log = append(c.log, &backplane.Envelope{
		Kind: backplane.KindEvent, Namespace: "/", Target: backplane.Target{Rooms: rooms, Except: except},
	})
}

// apply moves a node on by one step, and posts to the sessions of a shard.
func (c *cluster) apply(t *rapid.T) {
	c.advance(c.node(t))
}

func (c *cluster) advance(n *simNode) {
	shard := n.advance()
	if shard < 0 {
		return
	}
	e := n.ring.find(n.shards[shard])
	for _, cl := range c.clients {
		s := cl.session
		if s == nil || s.state != live || s.node != n || s.shard != shard {
			continue
		}
		before := len(s.should)
		if s.pass(); len(s.should) > before {
			cl.send(frame{id: fmt.Sprint(e.Seq), tail: e.Tail})
		}
	}
}

func (c *cluster) take(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.linked && len(cl.link) > 0 })
	if cl == nil {
		return
	}
	if err := cl.take(); err != nil {
		t.Fatal(err)
	}
}

func hasSession(cl *simClient) bool { return cl.session != nil }

func (c *cluster) direct(t *rapid.T) {
	cl := c.client(t, hasSession)
	if cl == nil {
		return
	}
	s := cl.session
	switch f := s.emit(); {
	case s.state == pending:
		s.hold(f)
	case s.state == live:
		cl.send(f)
	}
}

func (c *cluster) fast(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.session != nil && cl.wired && cl.session.state != away })
	if cl == nil {
		return
	}
	s := cl.session
	s.pass()
	f := frame{fast: true, after: len(s.should)}
	if s.state == pending {
		s.hold(f)
	} else {
		cl.send(f)
	}
}

func (c *cluster) rooms(t *rapid.T) {
	cl := c.client(t, hasSession)
	if cl == nil {
		return
	}
	s, room := cl.session, rapid.SampledFrom(simRooms).Draw(t, "room")
	if rapid.Bool().Draw(t, "join") {
		s.join(room)
	} else {
		s.leave(room)
	}
	if s.kept != nil {
		s.keep() // a change is stored before it counts (V6)
	}
}

// record stores a session, as a node does now and then.
func (c *cluster) record(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.session != nil && cl.session.h != nil })
	if cl != nil {
		cl.session.keep()
	}
}

// back has what a killed node had ahead of the next one happen again there: it may
// be behind changes of rooms that are made meanwhile.
func (s *simSession) back(to uint64) {
	for len(s.should) > 0 {
		if seq, err := strconv.ParseUint(s.should[len(s.should)-1], 10, 64); err != nil || seq <= to {
			break
		}
		s.should = s.should[:len(s.should)-1]
	}
	s.passed = min(s.passed, to)
}

func (s *simSession) keep() {
	state := s.h.Kept(&s.node.ring, simPosition(s.node.p))
	s.kept = &state
}

// drop breaks a link: the client knows, and what was under way is lost.
func (c *cluster) drop(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.linked })
	if cl == nil {
		return
	}
	cl.linked, cl.link = false, nil
	if rapid.Bool().Draw(t, "noticed") {
		cl.wired = false
		cl.session.withdraw()
	}
}

// notice lets the server find a broken link, without the client's help.
func (c *cluster) notice(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.wired && !cl.linked })
	if cl == nil {
		return
	}
	cl.wired = false
	cl.session.withdraw()
}

// claim has a client come back, to any node: its session is taken off its old
// link, handed over if it is elsewhere, judged, and continued or replaced.
func (c *cluster) claim(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return !cl.linked })
	if cl == nil {
		return
	}
	n := c.node(t)
	shard := rapid.IntRange(0, len(n.shards)-1).Draw(t, "shard")
	claim := Claim{}
	if cl.offset != nil {
		claim.Offset, claim.Given = backplane.ParseOffset(bytes.Trim(cl.offset, `"`))
	}
	s := cl.session
	if s != nil && s.h != nil {
		cl.wired = false
		s.withdraw()
		killed := false
		if s.node != n {
			// The new home must not be behind the old one: what was emitted
			// there after an entry must not overtake it here.
			var state State
			if killed = s.kept != nil && s.sent == 0 && rapid.Bool().Draw(t, "killed"); killed {
				// All that is left is what was stored.
				if state = *s.kept; claim.Given {
					state.High = max(state.High, claim.Offset.Seq)
				}
				c.killed++
			} else {
				s.h.Reached(s.node.p)
				s.pass()
				state = s.h.State(&s.node.ring, simPosition(s.node.p))
			}
			h, ok := Restore(state)
			if !ok {
				t.Fatal("a state cannot be restored")
			}
			s.h, s.node = h, n
		}
		for n.p < s.h.High() {
			c.advance(n)
		}
		if killed {
			s.back(n.p)
		}
		from, v := s.h.Judge(&n.ring, claim, c.limit)
		if v == Resumable {
			c.recovered++
			if !n.ring.Complete(from.Seq) {
				c.quiet++
			}
			cl.linked, cl.wired = true, true
			s.enter(shard, from)
			return
		}
		c.refused++
		c.justify(t, cl, claim, from, v)
	}
	c.begin(t, cl, n, shard, claim)
}

// justify fails for a refusal that no rule asks for.
func (c *cluster) justify(t *rapid.T, cl *simClient, claim Claim, from backplane.Offset, v Verdict) {
	switch h := cl.session.h; {
	case v == Trimmed && c.hard, v == Trimmed && c.trimmed && len(c.nodes) > 1:
	case v == Trimmed && c.trimmed && cl.session.owes(from.Seq):
	case v == Trimmed && c.tight && claim.Offset.Direct && !h.names(claim.Offset): // of which nothing is known any more
	case v == Overflowed && (c.tight || c.trimmed && len(c.nodes) > 1): // rings of nodes differ
	case v == Ambiguous && claim.Offset == h.stale:
	default:
		t.Fatalf("refused as %v: offset %v of a session born at %d, at %d", v, claim.Offset, h.birth, h.high)
	}
}

// begin gives the client a new session.
func (c *cluster) begin(t *rapid.T, cl *simClient, n *simNode, shard int, claim Claim) {
	var stale backplane.Offset
	if claim.Given {
		stale = claim.Offset
	}
	h := New("/", "sid", rapid.Uint64Range(0, 100).Draw(t, "k"), stale)
	at := n.shards[shard]
	h.Begin(at)
	cl.session = &simSession{h: h, node: n, limit: c.limit, rooms: map[string]bool{"sid": true}, passed: at, state: pending, shard: shard}
	cl.session.enter(shard, h.Birth())
	cl.linked, cl.wired = true, true
	cl.got, cl.received = nil, 0
}

func (c *cluster) accept(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.session != nil && cl.session.state == pending && cl.wired })
	if cl != nil {
		c.acceptClient(t, cl)
	}
}

func (c *cluster) acceptClient(t *rapid.T, cl *simClient) {
	s := cl.session
	frames, ok := s.accept()
	if !ok {
		if !c.trimmed {
			t.Fatal("the replay of an accepted claim is gone")
		}
		// The link is cut, and the client comes again.
		s.withdraw()
		cl.linked, cl.wired = false, false
		return
	}
	cl.send(frames...)
}

func (c *cluster) trim(t *rapid.T) {
	if rapid.IntRange(0, 7).Draw(t, "really") > 0 {
		return
	}
	n := c.node(t)
	keep := rapid.IntRange(1, 20).Draw(t, "keep")
	before := n.ring.Base()
	n.ring.Trim(time.Unix(int64(n.ring.Newest().Seq)+1-int64(keep), 0), 1<<40)
	c.trimmed = c.trimmed || n.ring.Base() != before
	c.hard = c.hard || n.ring.Base() != before
}

// look trims a ring as trim does, after every session there has looked at what
// goes.
func (c *cluster) look(t *rapid.T) {
	n := c.node(t)
	keep := rapid.IntRange(1, 20).Draw(t, "keep")
	to := n.ring.Due(time.Unix(int64(n.ring.Newest().Seq)+1-int64(keep), 0), 1<<40)
	to = min(to, n.p)
	c.trimmed = c.trimmed || to > n.ring.Base().Seq
	for _, cl := range c.clients {
		if s := cl.session; s != nil && s.node == n {
			s.h.Settle(&n.ring, to)
		}
	}
	n.ring.TrimTo(to, 1<<30)
}

// owes reports whether one of the session's entries behind a position has left
// its node's ring.
func (s *simSession) owes(from uint64) bool {
	s.pass()
	return slices.ContainsFunc(s.should, func(id string) bool {
		seq, err := strconv.ParseUint(id, 10, 64)
		return err == nil && seq > from && seq <= s.node.ring.Base().Seq
	})
}

// forget ends a session, as its expiry does. The client does not know.
func (c *cluster) forget(t *rapid.T) {
	cl := c.client(t, func(cl *simClient) bool { return cl.session != nil && cl.session.state == away })
	if cl == nil || rapid.IntRange(0, 7).Draw(t, "really") > 0 {
		return
	}
	cl.session = nil
	cl.wired = false
}

// check looks at the parts between actions.
func (c *cluster) check(t *rapid.T) {
	for _, n := range c.nodes {
		size := 0
		for _, e := range n.ring.entries {
			size += e.Size()
		}
		if size != n.ring.Bytes() {
			t.Fatalf("the ring says %d bytes and holds %d", n.ring.Bytes(), size)
		}
		indexed := 0
		for _, l := range n.ring.rooms {
			if !slices.IsSorted(l) {
				t.Fatal("a room's list is out of order")
			}
			indexed += len(l)
		}
		for _, e := range n.ring.entries {
			indexed -= max(1, len(e.Envelope.Target.Rooms))
		}
		if indexed != 0 {
			t.Fatalf("%d places too many in the index by room", indexed)
		}
	}
	for _, cl := range c.clients {
		if s := cl.session; s != nil && (len(s.h.direct) > c.limit.SessionEvents || len(s.h.past) > MaxPast) {
			t.Fatalf("%d direct emits, %d past rooms", len(s.h.direct), len(s.h.past))
		}
	}
}

// settle lets everything arrive: each client that is linked has all of it.
func (c *cluster) settle(t *rapid.T) {
	for _, n := range c.nodes {
		for n.p < uint64(len(c.log)) {
			c.advance(n)
		}
	}
	for _, cl := range c.clients {
		if !cl.linked {
			continue
		}
		if cl.session.state == pending {
			c.acceptClient(t, cl)
		}
		for cl.linked && len(cl.link) > 0 {
			if err := cl.take(); err != nil {
				t.Fatal(err)
			}
		}
		if cl.linked && cl.received != len(cl.session.should) {
			t.Fatalf("received %d of %d: %v of %v", cl.received, len(cl.session.should), cl.got, cl.session.should)
		}
	}
}
