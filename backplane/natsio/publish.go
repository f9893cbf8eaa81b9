package natsio

import (
	"context"
	"fmt"
	"sync"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
)

// outbox numbers what is published and remembers the subjects of addresses.
type outbox struct {
	// mu is held while a message is numbered, encoded and handed to the client:
	// numbers of one subject must leave in their order. The client has one
	// lock for all publishers anyway.
	mu     sync.Mutex
	places map[backplane.Address]*outPlace
	most   int
	newest *outPlace // head of the list from the one used last to the one used first
	oldest *outPlace
	life   uint64 // of counters that begin now

	buf []byte
	msg wire.Message

	dirty   []*outPlace // published to since the last tick
	cooling []*outPlace // published to before it
	dropped uint64      // were to be in a digest and are not
}

// outPlace is an address that was published to.
type outPlace struct {
	to      backplane.Address
	subject string
	name    string // for the message, if the subject has only a hash of it
	hash    uint64
	counted bool   // it reaches everybody who subscribes
	last    uint64 // number of the newest message; see lifeBits
	dirty   bool

	newer, older *outPlace
}

const (
	maxDirty  = 1 << 18  // addresses that one digest can be about
	maxOutBuf = 64 << 10 // that is kept for the next message

	// maxUnhashed is a length up to which no name is hashed in its subject.
	maxUnhashed = 96
)

func (o *outbox) init(most int) {
	o.places = make(map[backplane.Address]*outPlace)
	o.most = most
}

// Publish implements backplane.Backplane. It waits for no peer; a server that
// does not read holds it until the connection is given up, Config.Timeout at
// most. An envelope of another namespace than that of the address is refused
// with backplane.ErrAddress, since every receiver would drop it as forged.
func (b *Backplane) Publish(ctx context.Context, to backplane.Address, env *backplane.Envelope) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.isClosed() {
		return backplane.ErrClosed
	}
	if err := b.check(to.CheckPublish(), to, env); err != nil {
		return err
	}
	return b.send(to, env, "")
}

// Limits implements backplane.Limited.
func (b *Backplane) Limits() backplane.Limits { return b.cfg.Limits }

// check returns err, or why env cannot go to an address.
func (b *Backplane) check(err error, to backplane.Address, env *backplane.Envelope) error {
	if err != nil {
		return err
	}
	if err := b.cfg.Limits.CheckName(to); err != nil {
		return err
	}
	if to.Scope != backplane.ScopeNode && env.Namespace != to.Namespace {
		return fmt.Errorf("%w: publish to %s what is of namespace %q", backplane.ErrAddress, to, env.Namespace)
	}
	return b.cfg.Limits.Check(env)
}

// send publishes env, asking for replies on a subject if that is not "".
func (b *Backplane) send(to backplane.Address, env *backplane.Envelope, reply string) error {
	o := &b.out
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.place(b.space, to)
	if err != nil {
		return err
	}
	before := p.last
	o.encode(p, env, b.from(env.Origin))
	if err := b.live.publish(p.subject, reply, o.buf); err != nil {
		p.last = before
		return err
	}
	o.touch(p)
	if cap(o.buf) > maxOutBuf {
		o.buf = nil
	}
	b.stats.published.Add(1)
	return nil
}

// place returns the place of an address, made if need be. The caller holds mu.
func (o *outbox) place(space subject.Space, to backplane.Address) (*outPlace, error) {
	if p := o.places[to]; p != nil {
		o.use(p)
		return p, nil
	}
	subj, err := space.Fast(to)
	if err != nil {
		return nil, err
	}
	p := &outPlace{
		to:      to,
		subject: subj,
		hash:    subject.Hash(subj),
		counted: to.Scope != backplane.ScopeGateway && to.Scope != backplane.ScopeWorker,
	}
	if len(to.Name) > maxUnhashed && subject.Encode(to.Name).Hashed() {
		p.name = to.Name
	}
	if len(o.places) >= o.most {
		o.forget(o.most/16 + 1)
	}
	o.places[to] = p
	o.push(p)
	return p, nil
}

// encode numbers a message to p and leaves it in buf. The caller holds mu.
func (o *outbox) encode(p *outPlace, env *backplane.Envelope, sender string) {
	m := &o.msg
	m.Envelope, m.Sender, m.Name = *env, sender, p.name
	m.Counter, m.Baseline = o.number(p)
	o.buf = m.Append(o.buf[:0])
	*m = wire.Message{} // and keep nothing of env
}

// number gives the next message to p its number, and whether it is the first one
// of a counter's life. The caller holds mu.
func (o *outbox) number(p *outPlace) (n uint64, first bool) {
	if !p.counted {
		return 0, false
	}
	if p.last == 0 {
		p.last = o.life << lifeBits
	}
	p.last++
	return p.last, withinOf(p.last) == 1
}

// forget drops the n places used first. If one of them is used again its
// counter begins a new life. The caller holds mu.
func (o *outbox) forget(n int) {
	o.life++
	for ; n > 0 && o.oldest != nil; n-- {
		delete(o.places, o.oldest.to)
		o.unlink(o.oldest)
	}
}

// touch notes that something was published to p. The caller holds mu.
func (o *outbox) touch(p *outPlace) {
	if p.dirty || !p.counted {
		return
	}
	if len(o.dirty) >= maxDirty {
		o.dropped++
		return
	}
	p.dirty = true
	o.dirty = append(o.dirty, p)
}

// cooled returns the places that were published to before the last call and
// not since: what got lost there no later message tells of.
func (o *outbox) cooled() []tally {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []tally
	for _, p := range o.cooling {
		if !p.dirty {
			list = append(list, tally{p.hash, p.last})
		}
	}
	for _, p := range o.dirty {
		p.dirty = false
	}
	clear(o.cooling)
	o.cooling, o.dirty = o.dirty, o.cooling[:0]
	if cap(o.dirty) > 4096 && len(o.cooling) < cap(o.dirty)/4 {
		o.dirty = nil
	}
	return list
}

// use moves p to the front of the list. The caller holds mu, as for the two
// below.
func (o *outbox) use(p *outPlace) {
	if o.newest != p {
		o.unlink(p)
		o.push(p)
	}
}

func (o *outbox) push(p *outPlace) {
	p.newer, p.older = nil, o.newest
	if o.newest != nil {
		o.newest.newer = p
	}
	o.newest = p
	if o.oldest == nil {
		o.oldest = p
	}
}

func (o *outbox) unlink(p *outPlace) {
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		o.newest = p.older
	}
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		o.oldest = p.newer
	}
	p.newer, p.older = nil, nil
}
