package natsio

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// A node in very many rooms would have its server and all others keep very many
// subscriptions. Beyond a budget the shards of rooms with the most of them are
// subscribed as a whole: publishers notice nothing, and the node drops what is
// for rooms of the shard that it is not in.

// shardKey names a shard of rooms.
type shardKey struct{ namespace, shard string }

// shard is the rooms of one shard that are subscribed here. registry.mu guards
// it.
type shard struct {
	key   shardKey
	first *interest // of those subscribed one by one
	n     int       // of these
	wide  *wide     // nil while there is none
}

// wide is a shard that is subscribed as a whole.
type wide struct {
	shard *shard
	in    *interest            // on the wire
	rooms map[string]*interest // by subject; guarded by registry.mu

	// While rooms are subscribed in both ways their messages come twice.
	double bool                 // so it is; guarded by registry.mu
	since  time.Time            // when that ended; guarded by registry.mu
	old    []*nats.Subscription // of single rooms; what came for them may still wait

	seen map[uint64]*copies // of the receiver's goroutine alone
}

// copies counts how often the same message came in each way.
type copies struct{ exact, wide uint32 }

// maxSeen bounds the messages remembered while they come twice. Beyond it some
// may be delivered twice.
const maxSeen = 1 << 16

// enter subscribes a room, with its shard if that is wide. The caller holds
// registry.mu.
func (r *registry) enter(b *Backplane, in *interest) error {
	key := shardKey{in.at.Namespace, subject.ShardOf(in.at.Name)}
	sh := r.shards[key]
	if sh == nil {
		sh = &shard{key: key}
	}
	if w := sh.wide; w != nil {
		in.wide = w
		w.rooms[in.subject] = in
		return nil
	}
	if err := r.subscribe(b, in); err != nil {
		return err
	}
	r.shards[key] = sh
	r.link(sh, in)
	for r.exact > b.cfg.Rooms && !r.down {
		if err := r.widen(b); err != nil {
			b.logger.Warn("shard of rooms not subscribed", "err", err)
			break
		}
	}
	return nil
}

// leave undoes what enter did, but for a subscription of the room itself. The
// caller holds registry.mu.
func (r *registry) leave(in *interest) {
	w := in.wide
	if w == nil {
		if sh := in.shard; sh != nil {
			r.unlink(in)
			if sh.n == 0 {
				delete(r.shards, sh.key)
			}
		}
		return
	}
	delete(w.rooms, in.subject)
	if len(w.rooms) == 0 {
		delete(r.shards, w.shard.key)
		r.drop(w.in)
	}
}

// widen subscribes the shard with the most rooms as a whole. The caller holds
// registry.mu.
func (r *registry) widen(b *Backplane) error {
	var sh *shard
	for _, s := range r.shards {
		if s.wide == nil && (sh == nil || s.n > sh.n) {
			sh = s
		}
	}
	w := &wide{shard: sh, rooms: make(map[string]*interest, sh.n), double: true}
	w.in = &interest{fan: w, subject: b.space.Shard(sh.key.namespace, sh.first.at.Name)}
	if err := r.subscribe(b, w.in); err != nil {
		return err
	}
	sh.wide = w
	for in := sh.first; in != nil; in = sh.first {
		r.unlink(in)
		in.wide = w
		w.rooms[in.subject] = in
	}
	b.wg.Go(func() { b.settle(w) })
	return nil
}

// settle ends the subscriptions of single rooms when the server knows that of
// their shard, and what it sent before has arrived.
func (b *Backplane) settle(w *wide) {
	for {
		ctx, cancel := context.WithTimeout(b.life, b.cfg.Timeout)
		err := b.live.flush(ctx)
		if err != nil && b.life.Err() == nil {
			<-ctx.Done() // and then the connection may be back
		}
		cancel()
		switch {
		case b.life.Err() != nil:
			return
		case err == nil:
			b.reg.settled(w)
			return
		}
	}
}

func (r *registry) settled(w *wide) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range w.rooms {
		if sub := in.sub; sub != nil {
			r.end(in)
			r.of[sub] = in
			w.old = append(w.old, sub)
		}
	}
	r.stale += len(w.old)
	w.double, w.since = false, time.Now()
	r.settling = append(r.settling, w)
}

// forget ends what settled keeps for messages that waited. The caller holds mu.
func (r *registry) forget(now time.Time) {
	for len(r.settling) > 0 && now.Sub(r.settling[0].since) > stragglers {
		w := r.settling[0]
		for _, sub := range w.old {
			delete(r.of, sub)
		}
		r.stale -= len(w.old)
		w.old = nil
		r.settling = r.settling[1:]
	}
}

// fanOut returns the interest that a message to a wide shard is for, nil if
// there is none.
func (r *registry) fanOut(w *wide, subj string) *interest {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return w.rooms[subj]
}

// stragglers is how long copies of messages may still be on their way to the handlers
// after the second subscription ended.
const stragglers = 10 * time.Second

// isDouble reports whether messages of w may come twice.
func (r *registry) isDouble(w *wide) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return w.double || time.Since(w.since) < stragglers
}

// isCopy reports whether a message to a room of a wide shard came already, in
// the other way. Copies are told by their bytes, which for a message with a
// number no other one has. It runs on the receiver.
func (b *Backplane) isCopy(w *wide, msg *nats.Msg, exact bool) bool {
	if !b.reg.isDouble(w) {
		w.seen = nil
		return false
	}
	var h maphash.Hash
	h.SetSeed(b.seed)
	_, _ = h.WriteString(msg.Subject)
	_, _ = h.Write(msg.Data)
	if w.seen == nil || len(w.seen) >= maxSeen {
		w.seen = make(map[uint64]*copies)
	}
	c := w.seen[h.Sum64()]
	if c == nil {
		c = &copies{}
		w.seen[h.Sum64()] = c
	}
	if exact {
		c.exact++
		return c.exact <= c.wide
	}
	c.wide++
	return c.wide <= c.exact
}

// link adds a room to those of its shard that are subscribed one by one. The
// caller holds registry.mu, as for unlink.
func (r *registry) link(sh *shard, in *interest) {
	in.shard, in.next = sh, sh.first
	if sh.first != nil {
		sh.first.prev = in
	}
	sh.first = in
	sh.n++
	r.exact++
}

func (r *registry) unlink(in *interest) {
	if in.prev != nil {
		in.prev.next = in.next
	} else {
		in.shard.first = in.next
	}
	if in.next != nil {
		in.next.prev = in.prev
	}
	in.shard.n--
	r.exact--
	in.shard, in.prev, in.next = nil, nil, nil
}

// isRoom reports whether an address is subscribed by enter.
func isRoom(at backplane.Address) bool { return at.Scope == backplane.ScopeRoom }
