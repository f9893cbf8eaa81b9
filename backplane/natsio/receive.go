package natsio

import (
	"errors"
	"hash/maphash"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
)

// receive calls the handlers. There is one queue and one goroutine for all
// addresses: with more, messages of one sender to different addresses overtake
// each other.
func (b *Backplane) receive() {
	var list []*nats.Msg
	for {
		select {
		case <-b.closed:
			return
		case <-b.poke:
			b.tell()
		case <-b.inflow.ready:
			list = b.inflow.take(list)
			for _, m := range list {
				if b.isClosed() {
					return
				}
				b.take(m)
				b.inflow.done(m)
				select {
				case <-b.poke:
					b.tell()
				default:
				}
			}
		}
	}
}

// take handles one message.
func (b *Backplane) take(msg *nats.Msg) {
	b.stats.received.Add(1)
	in, w := b.reg.lookup(msg.Sub)
	switch {
	case in == nil: // it was on its way when the subscription ended
		return
	case in.control != nil:
		in.control(msg)
		return
	case in.fan != nil:
		w = in.fan
		if in = b.reg.fanOut(w, msg.Subject); in == nil || b.isCopy(w, msg, false) {
			return // of a room without members here, or known
		}
	case w != nil && b.isCopy(w, msg, true):
		return
	}
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	p := b.place(in, msg.Subject, m)
	if p == nil {
		b.stats.forged.Add(1)
		return
	}
	from := m.From()
	if ofNodes(p.to.Scope) {
		b.hear(from)
	}
	d := backplane.Delivery{To: p.to, Envelope: &m.Envelope}
	if m.Counter != 0 && from != "" {
		d.Gap = b.countIn(p, from, m)
	}
	if mayAsk(p.to.Scope, msg.Reply) {
		d.Reply = b.replier(msg.Reply)
	}
	b.deliver(in, d)
}

// ofNodes reports whether only nodes may publish to addresses of a scope, so that
// a sender is who it says.
func ofNodes(s backplane.Scope) bool { return s == backplane.ScopeRequests || s == backplane.ScopeNode }

// inboxes begins the subjects that this node replies to, and nodeInboxes those of
// nodes among them. What asks for a reply elsewhere would have the node speak there
// with the node's permissions; and who is no node would have one node's answer come
// to another that did not ask: nodes ask where nodes alone publish.
const (
	inboxes     = "_INBOX"
	nodeInboxes = "_INBOX_node."
)

func mayAsk(s backplane.Scope, reply string) bool {
	switch {
	case !strings.HasPrefix(reply, inboxes):
		return false
	case ofNodes(s), s == backplane.ScopeWorker:
		return true
	}
	return s == backplane.ScopeGateway && !strings.HasPrefix(reply, nodeInboxes)
}

// decode reads a message, or counts why it cannot.
func (b *Backplane) decode(msg *nats.Msg) (*wire.Message, bool) {
	m, err := wire.Decode(msg.Data, b.cfg.Limits)
	if err == nil {
		return m, true
	}
	if _, version := errors.AsType[*wire.VersionError](err); version {
		if b.stats.versions.Add(1) == 1 {
			b.logger.Warn("a message of another version was dropped; further ones are counted", "subject", msg.Subject, "err", err)
		}
	} else {
		b.stats.malformed.Add(1)
	}
	return nil, false
}

// place returns the place that a message came to. It is nil if the message does
// not belong there: a sender that may publish for one namespace only could
// claim another in the envelope.
func (b *Backplane) place(in *interest, subj string, m *wire.Message) *place {
	p := in.exact
	if p == nil {
		p = b.reg.placeOf(in, subj)
	}
	if p == nil {
		to, err := b.address(subj, m)
		if err != nil || !in.at.Matches(to) {
			return nil
		}
		if m.Namespace != to.Namespace {
			return nil
		}
		return b.reg.addPlace(in, subj, to)
	}
	if p.to.Scope != backplane.ScopeNode && m.Namespace != p.to.Namespace {
		return nil
	}
	return p
}

// address reads a subject, with the names that the message has for those that
// the subject has only hashes of.
func (b *Backplane) address(subj string, m *wire.Message) (backplane.Address, error) {
	parsed, err := b.space.Parse(subj)
	if err != nil {
		return backplane.Address{}, err
	}
	to, err := parsed.Address(strings.Clone(m.Namespace), strings.Clone(m.Name))
	if errors.Is(err, subject.ErrForged) {
		b.logger.Debug("message dropped", "subject", subj, "err", err)
	}
	return to, err
}

// countIn notes the number of a message and returns what is missing before it.
func (b *Backplane) countIn(p *place, from string, m *wire.Message) backplane.Gap {
	sender := b.hash(from)
	c := p.counts.of(sender)
	if c != nil {
		return c.advance(m.Counter, m.Baseline)
	}
	if len(p.counts) == 0 {
		b.reg.counted(p)
	}
	p.counts.begin(sender, m.Counter)
	return backplane.Gap{}
}

func (b *Backplane) hash(sender string) uint64 { return maphash.String(b.seed, sender) }

// deliver calls the handler of whoever is subscribed.
func (b *Backplane) deliver(in *interest, d backplane.Delivery) {
	s := in.user.Load()
	if s == nil || s.closed.Load() || b.isClosed() {
		return // it lingers, or has just ended
	}
	b.stats.lost.Add(d.Gap.Lost)
	if d.Envelope != nil {
		b.stats.delivered.Add(1)
	}
	s.h(d)
}

// tell tells what is not in a message: that some may be missing, and which rooms
// changed.
func (b *Backplane) tell() {
	b.tellVague()
	b.rooms.tell(b)
}

func (b *Backplane) tellVague() {
	if !b.vague.Swap(false) {
		return
	}
	b.stats.unknown.Add(1)
	if s := b.reg.own(); s != nil && !s.closed.Load() && !b.isClosed() {
		s.h(backplane.Delivery{Gap: backplane.Gap{Unknown: true}})
	}
}
