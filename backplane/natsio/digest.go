package natsio

import (
	"encoding/binary"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// A digest tells how far the counters of subjects got that were published to
// and then not again for a tick: if the last messages there were lost, nothing
// else would show it (R22). It comes on the same connection as the messages, so
// what was published before it has arrived before it, or is lost.
//
// In the Data of a message it is a sequence of tallies, each a hash of a
// subject in 8 bytes, little-endian, and a counter as a varint.

// tally is how far the counter of a subject got.
type tally struct {
	hash uint64 // subject.Hash
	n    uint64
}

// maxTallies is the most in one message.
const maxTallies = 4096

func appendTallies(dst []byte, list []tally) []byte {
	for _, t := range list {
		dst = binary.LittleEndian.AppendUint64(dst, t.hash)
		dst = binary.AppendUvarint(dst, t.n)
	}
	return dst
}

var errDigest = errors.New("natsio: malformed digest")

// cutTally takes the first tally off data.
func cutTally(data []byte) (t tally, rest []byte, err error) {
	if len(data) < 9 {
		return t, nil, errDigest
	}
	t.hash = binary.LittleEndian.Uint64(data)
	n, size := binary.Uvarint(data[8:])
	if size <= 0 {
		return t, nil, errDigest
	}
	t.n = n
	return t, data[8+size:], nil
}

// digest publishes the tallies of this node and returns how many messages it
// has sent of them in its life. The ticker alone calls it.
func (b *Backplane) digest(sent uint64) uint64 {
	list := b.out.cooled()
	var data []byte
	for len(list) > 0 {
		n := min(len(list), maxTallies)
		m := wire.Message{Sender: b.id, Counter: sent + 1}
		m.Data = appendTallies(nil, list[:n])
		data = m.Append(data[:0])
		sent++ // also if it cannot be sent: then it is missing
		if err := b.live.publish(b.space.Digest(b.id), "", data); err != nil {
			b.logger.Debug("digest not sent", "err", err)
		}
		list = list[n:]
	}
	return sent
}

// takeDigest compares what a peer published with what arrived. It runs on the
// receiver.
func (b *Backplane) takeDigest(msg *nats.Msg) {
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	if msg.Subject != b.space.Digest(m.From()) {
		b.stats.forged.Add(1)
		return
	}
	p := b.hear(m.From())
	if p == nil {
		return // it did not beat yet
	}
	p.digests = m.Counter
	sender := b.hash(m.From())
	var buf [4]*place
	for data := m.Data; len(data) > 0; {
		t, rest, err := cutTally(data)
		if err != nil {
			b.stats.malformed.Add(1)
			return
		}
		data = rest
		for _, pl := range b.reg.byHashOf(t.hash, buf[:0]) {
			c := pl.counts.of(sender)
			if c == nil {
				continue // whether it was subscribed when they were sent is not known
			}
			if gap := c.reached(t.n); !gap.IsZero() {
				b.deliver(pl.in, backplane.Delivery{To: pl.to, Gap: gap})
			}
		}
	}
}
