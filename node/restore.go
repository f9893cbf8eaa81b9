package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
)

// restore makes s the owner of a session whose node cannot be asked, from that
// node's journal (V10). It returns nil if there is none, or it is another
// client's, or another node was quicker.
func (r *recovery) restore(s *Socket, c *claim) *session {
	j := r.journal
	ctx, cancel := context.WithTimeout(r.srv.ctx, r.storeTimeout())
	defer cancel()
	for range maxHops {
		owner, err := j.store.Owner(ctx, c.pid)
		if err != nil || owner.Node == r.srv.id {
			return nil
		}
		if r.srv.cfg.Backplane.Heard(owner.Node) {
			body := takeBody{PID: c.pid, NS: s.ns.name, Who: s.asked, Moves: owner.Generation}
			if t, ok := r.askFor(ctx, backplane.Node(owner.Node), body); t.Session != nil {
				return r.receive(ctx, s, c.pid, &t)
			} else if ok && t.Owner == "" {
				c.large = t.Large
				return nil // it ended there, is not this client's, or cannot leave
			}
		}
		t, final, ok := j.find(ctx, owner, 0)
		if !ok || t.Until != 0 && time.Now().After(time.UnixMilli(t.Until)) || !(&session{who: t.Who, user: t.User}).allows(s.asked) {
			return nil
		}
		got, err := j.claim(ctx, owner)
		if errors.Is(err, backplane.ErrOwned) {
			continue // it has moved meanwhile: ask there
		}
		if err != nil {
			return nil
		}
		if !final {
			// An owner that only stood still may have stored a change just before.
			if t, _, ok = j.find(ctx, owner, j.loads.newest()); !ok {
				return nil
			}
		}
		t.Moves = got.Generation
		// What the killed node emitted to the session alone is gone with it, and
		// so are the numbers it gave: they must match none of this node's.
		if len(t.Session.Direct) == 0 {
			t.Session.K = uint64(rand.Uint32() >> 1)
		}
		if c.offset.Given {
			t.Session.High = max(t.Session.High, c.offset.Offset.Seq)
		}
		return r.adopt(s, c.pid, owner.Node, t, got)
	}
	return nil
}

// receive takes a session that another node handed over. Who moves a session
// writes down that it did, or a third node would find it where it was.
func (r *recovery) receive(ctx context.Context, s *Socket, pid string, t *taken) *session {
	r.drain(ctx)
	if r.journal == nil {
		return r.adopt(s, pid, t.from, t, backplane.Owner{})
	}
	owner, err := r.journal.store.Owner(ctx, pid)
	if err != nil || owner.Generation >= t.Moves {
		return nil
	}
	got, err := r.journal.claim(ctx, owner)
	if err != nil {
		return nil
	}
	t.Moves = max(t.Moves, got.Generation)
	return r.adopt(s, pid, t.from, t, got)
}

// claim makes this node the owner of a session, for certain or not at all.
func (j *journal) claim(ctx context.Context, owner backplane.Owner) (backplane.Owner, error) {
	got, err := j.store.Claim(ctx, owner)
	if !errors.Is(err, backplane.ErrOutcomeUnknown) {
		return got, err
	}
	now, again := j.store.Owner(ctx, owner.PID)
	if again == nil && now.Node == j.rec.srv.id && now.Generation == owner.Generation+1 {
		return now, nil
	}
	return got, err
}

// loads are journals of other nodes, as they were read.
type loads struct {
	window time.Duration

	mu   sync.Mutex           // a leaf
	last uint64               // number of the newest reading
	of   map[string]*load     // those under way, and those of nodes that are gone
	gone map[string]time.Time // since when nodes are known to be gone
}

// load is one reading of a journal.
type load struct {
	number  uint64
	done    chan struct{}
	final   bool // the node was gone when it began: it will not change
	records map[string]backplane.SessionRecord
	err     error
}

func (l *loads) init(window time.Duration) {
	l.window = window
	l.of, l.gone = make(map[string]*load), make(map[string]time.Time)
}

// left notes that a node is gone. Its sessions wait for the window from then.
func (j *journal) left(node string) {
	if j == nil {
		return
	}
	j.loads.mu.Lock()
	defer j.loads.mu.Unlock()
	if _, ok := j.loads.gone[node]; !ok {
		j.loads.gone[node] = time.Now()
	}
}

// joined notes that a node is there. If it was taken for dead, its journal has
// gone on.
func (j *journal) joined(node string) {
	if j == nil {
		return
	}
	j.loads.mu.Lock()
	defer j.loads.mu.Unlock()
	delete(j.loads.gone, node)
	delete(j.loads.of, node)
}

// prune forgets nodes whose sessions have had their time.
func (l *loads) prune() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for node, at := range l.gone {
		if time.Since(at) > 2*l.window {
			delete(l.gone, node)
			delete(l.of, node)
		}
	}
}

// begin returns the reading of a node's journal to wait for, and whether the
// caller is to do it; nil if its sessions have had their time. There is one at a
// time of a node, however many wait.
func (l *loads) begin(node string) (ld *load, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since, gone := l.gone[node]
	if gone && time.Since(since) > l.window {
		return nil, false
	}
	if ld = l.of[node]; ld != nil {
		return ld, false
	}
	l.last++
	ld = &load{number: l.last, done: make(chan struct{}), final: gone}
	l.of[node] = ld
	return ld, true
}

// over ends a reading. Only one that stays true is kept.
func (l *loads) over(node string, ld *load) {
	l.mu.Lock()
	if l.of[node] == ld && (!ld.final || ld.err != nil) {
		delete(l.of, node)
	}
	l.mu.Unlock()
	close(ld.done)
}

// newest is the number of the newest reading.
func (l *loads) newest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// find returns a session from the journal of its owner, and whether it is as it
// will stay. A reading that began when a given one was the newest, or before,
// does not do, unless nothing can have changed since.
func (j *journal) find(ctx context.Context, owner backplane.Owner, after uint64) (t *taken, final, ok bool) {
	for {
		ld, mine := j.loads.begin(owner.Node)
		if ld == nil {
			return nil, false, false
		}
		if mine {
			j.read(owner.Node, ld)
		}
		select {
		case <-ld.done:
		case <-ctx.Done():
			return nil, false, false
		}
		if ld.number <= after && !ld.final {
			continue // the next one serves all who waited for this one
		}
		if ld.err != nil { // the next reading may have more luck
			select {
			case <-time.After(journalRetry):
				continue
			case <-ctx.Done():
				return nil, false, false
			}
		}
		rec, ok := ld.records[owner.PID]
		if !ok || rec.Generation != owner.Generation {
			return nil, false, false
		}
		t, ok = decodeRecord(rec)
		return t, ld.final, ok
	}
}

// read reads a node's journal, for all who wait.
func (j *journal) read(node string, ld *load) {
	defer j.loads.over(node, ld)
	ctx, cancel := context.WithTimeout(j.rec.srv.ctx, j.rec.storeTimeout())
	defer cancel()
	ld.records = make(map[string]backplane.SessionRecord)
	for rec, err := range j.store.Load(ctx, node) {
		if err != nil {
			ld.err = err
			j.rec.srv.cfg.Logger.Warn("the journal of a node cannot be read", "node", clip(node), "err", err)
			return
		}
		ld.records[rec.PID] = rec
	}
}
