package natsio

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// registry is what this node subscribes.
type registry struct {
	// mu guards everything here and what interest and place say of it. It is
	// held while the client sends SUB and UNSUB, so these leave in the order of
	// the calls.
	mu     sync.RWMutex
	at     map[backplane.Address]*interest
	of     map[*nats.Subscription]*interest
	byHash map[uint64]*place // places with counts, by the hash of their subject
	shards map[shardKey]*shard
	exact  int // rooms that are subscribed one by one

	settling []*wide // whose rooms were subscribed one by one lately
	stale    int     // entries of the map "of" that are there for these

	queue  []lingering   // in the order of their ends; some came back meanwhile
	self   *subscription // the one of this node's own Node address
	closed bool

	// While the connection is down, the client is not asked for anything: it
	// may hold its lock for as long as it dials.
	down    bool
	opening map[*interest]struct{} // to be subscribed when it is back
	closing []*nats.Subscription   // to be unsubscribed
}

// interest is one subscription on the wire. It outlives that of the caller
// while it lingers.
type interest struct {
	at      backplane.Address
	subject string
	group   string             // queue group, "" for none
	sub     *nats.Subscription // nil before it is subscribed; guarded by mu
	control func(*nats.Msg)    // instead of a handler, for this package's own subjects
	user    atomic.Pointer[subscription]

	fan   *wide     // instead of a handler, for a shard of rooms
	wide  *wide     // that a room is subscribed with; guarded by mu
	shard *shard    // of a room that is subscribed by itself; guarded by mu
	next  *interest // in it; guarded by mu
	prev  *interest // the same

	exact    *place            // of an address without wildcard
	wildcard map[string]*place // else, by subject; guarded by mu

	queued bool      // it is in the queue; guarded by mu
	until  time.Time // when it ends if nobody comes back; guarded by mu
}

// place is one address that messages come from, with what is known of their
// numbers.
type place struct {
	in     *interest
	to     backplane.Address
	hash   uint64
	counts counts // of the receiver's goroutine alone
	next   *place // with the same hash; guarded by mu
}

// maxPlaces bounds the addresses told apart within one wildcard. Beyond it some
// are forgotten: their counts begin again.
const maxPlaces = 1 << 16

// subscription is what a caller of Subscribe holds.
type subscription struct {
	b      *Backplane
	in     *interest
	h      backplane.Handler
	closed atomic.Bool
}

func (r *registry) init() {
	r.at = make(map[backplane.Address]*interest)
	r.of = make(map[*nats.Subscription]*interest)
	r.byHash = make(map[uint64]*place)
	r.opening = make(map[*interest]struct{})
	r.shards = make(map[shardKey]*shard)
}

// Subscribe implements backplane.Backplane. The subscription is on its way to
// the server when it returns: what the server gets later from anybody is
// delivered. Barrier waits for it.
func (b *Backplane) Subscribe(at backplane.Address, h backplane.Handler) (backplane.Subscription, error) {
	if err := at.CheckSubscribe(b.id); err != nil {
		return nil, err
	}
	if err := b.cfg.Limits.CheckName(at); err != nil {
		return nil, err
	}
	r := &b.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, backplane.ErrClosed
	}
	in := r.at[at]
	switch {
	case in == nil:
		var err error
		if in, err = r.open(b, at); err != nil {
			return nil, err
		}
	case in.user.Load() != nil:
		return nil, backplane.ErrSubscribed
	}
	s := &subscription{b: b, in: in, h: h}
	in.user.Store(s)
	if at.Scope == backplane.ScopeNode {
		r.self = s
	}
	b.rooms.changed(b, at, true)
	return s, nil
}

// open subscribes an address on the wire. The caller holds mu.
func (r *registry) open(b *Backplane, at backplane.Address) (*interest, error) {
	subj, queue, err := b.space.Subscribe(at)
	if err != nil {
		return nil, err
	}
	in := &interest{at: at, subject: subj, group: queue}
	if at.Scope == backplane.ScopeHome || at.Namespace == backplane.AnyNamespace && at.Scope != backplane.ScopeNode {
		in.wildcard = make(map[string]*place)
	} else {
		in.exact = &place{in: in, to: at, hash: subject.Hash(subj)}
	}
	if isRoom(at) {
		err = r.enter(b, in)
	} else {
		err = r.subscribe(b, in)
	}
	if err != nil {
		return nil, err
	}
	r.at[at] = in
	return in, nil
}

// control subscribes a subject of this package's own.
func (r *registry) control(b *Backplane, subj string, take func(*nats.Msg)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscribe(b, &interest{control: take, subject: subj})
}

// subscribe has messages of a subject come to the receiver. The caller holds
// mu, so the receiver finds the interest when the first one comes.
func (r *registry) subscribe(b *Backplane, in *interest) (err error) {
	if r.down {
		r.opening[in] = struct{}{}
		return nil
	}
	if in.group == "" {
		in.sub, err = b.live.nc.ChanSubscribe(in.subject, b.in)
	} else {
		in.sub, err = b.live.nc.ChanQueueSubscribe(in.subject, in.group, b.in)
	}
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return backplane.ErrClosed
	case err != nil:
		return fmt.Errorf("natsio: subscribe: %w", err)
	}
	r.of[in.sub] = in
	return nil
}

// Close implements backplane.Subscription.
func (s *subscription) Close() {
	if s.closed.Swap(true) {
		return
	}
	r := &s.b.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	in := s.in
	if r.closed || in.user.Load() != s {
		return
	}
	in.user.Store(nil)
	if r.self == s {
		r.self = nil
	}
	s.b.rooms.changed(s.b, in.at, false)
	if linger := s.b.cfg.Linger; linger > 0 && (in.at.Scope == backplane.ScopeRoom || in.at.Scope == backplane.ScopeSocket) {
		r.linger(s.b, in, time.Now().Add(linger))
		return
	}
	r.drop(in)
}

// drop ends an interest. The caller holds mu.
func (r *registry) drop(in *interest) {
	delete(r.at, in.at)
	if isRoom(in.at) {
		r.leave(in)
	}
	if in.exact != nil {
		r.uncount(in.exact)
	}
	for _, p := range in.wildcard {
		r.uncount(p)
	}
	r.end(in)
}

// end ends the subscription of an interest on the wire, if it has one. The
// caller holds mu.
func (r *registry) end(in *interest) {
	delete(r.opening, in)
	if in.sub == nil {
		return
	}
	delete(r.of, in.sub)
	if r.down {
		r.closing = append(r.closing, in.sub)
	} else {
		_ = in.sub.Unsubscribe() // it fails only if the connection is closed
	}
	in.sub = nil
}

// offline runs when the connection broke.
func (r *registry) offline() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
}

// online runs when the connection is back, before anybody uses it.
func (b *Backplane) online() {
	r := &b.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
	for _, sub := range r.closing {
		_ = sub.Unsubscribe()
	}
	r.closing = nil
	for in := range r.opening {
		if err := r.subscribe(b, in); err != nil {
			b.logger.Error("not subscribed", "subject", in.subject, "err", err)
		}
	}
	clear(r.opening)
}

// close ends everything here.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.self = nil
}

// lookup returns the interest that a message came for, nil if it ended, and the
// shard that its room is subscribed with as well, if it is.
func (r *registry) lookup(sub *nats.Subscription) (*interest, *wide) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	in := r.of[sub]
	if in == nil {
		return nil, nil
	}
	return in, in.wide
}

// placeOf returns the place with a subject in a wildcard, nil if it is new.
func (r *registry) placeOf(in *interest, subj string) *place {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return in.wildcard[subj]
}

// addPlace adds a place to a wildcard.
func (r *registry) addPlace(in *interest, subj string, to backplane.Address) *place {
	p := &place{in: in, to: to, hash: subject.Hash(subj)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(in.wildcard) >= maxPlaces {
		for old, p := range in.wildcard { // any of them
			r.uncount(p)
			delete(in.wildcard, old)
			break
		}
	}
	in.wildcard[subj] = p
	return p
}

// counted makes digests find a place, when its first sender is counted.
func (r *registry) counted(p *place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at[p.in.at] != p.in {
		return // it ended meanwhile
	}
	p.next = r.byHash[p.hash]
	r.byHash[p.hash] = p
}

// uncount undoes counted, if it was done. The caller holds mu.
func (r *registry) uncount(p *place) {
	q := r.byHash[p.hash]
	switch {
	case q == p && p.next == nil:
		delete(r.byHash, p.hash)
	case q == p:
		r.byHash[p.hash] = p.next
	default:
		for ; q != nil; q = q.next {
			if q.next == p {
				q.next = p.next
				break
			}
		}
	}
	p.next = nil
}

// byHashOf returns the places with a hash that are counted.
func (r *registry) byHashOf(hash uint64, into []*place) []*place {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for p := r.byHash[hash]; p != nil; p = p.next {
		into = append(into, p)
	}
	return into
}

// own returns the subscription of this node's own address, nil if it has none.
func (r *registry) own() *subscription {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.self
}
