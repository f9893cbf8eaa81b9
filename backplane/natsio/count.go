package natsio

import "github.com/siod-io/siod/backplane"

// A counter numbers the messages of one sender on one subject from 1 (R22). A
// sender forgets subjects it did not use for long; when it uses one again it
// begins a new life of the counter, which the receiver must not take for the
// old one: lives are numbered over all subjects of the sender, in the bits
// above lifeBits. The first life is 0, so most counters are short. One that
// reaches 1<<lifeBits goes on into the next life, which does no harm.
const lifeBits = 36

func lifeOf(n uint64) uint64   { return n >> lifeBits }
func withinOf(n uint64) uint64 { return n & (1<<lifeBits - 1) }

// count is what a receiver knows of one sender on one subject. Where emitters may
// publish, the sender is whoever the message says, so these are figures to look at:
// nothing may be decided by them.
type count struct {
	sender uint64 // hash of its name
	last   uint64 // number of the newest message that was counted
}

// advance notes that message n came and returns what is missing before it.
func (c *count) advance(n uint64, baseline bool) backplane.Gap {
	last := c.last
	switch {
	case baseline:
		c.last = n
		return backplane.Gap{}
	case n == last+1:
		c.last = n
		return backplane.Gap{}
	case lifeOf(n) > lifeOf(last): // whose first messages are missing
		c.last = n
		return backplane.Gap{Lost: withinOf(n) - 1}
	case n > last:
		c.last = n
		return backplane.Gap{Lost: n - last - 1}
	case lifeOf(n) < lifeOf(last):
		return backplane.Gap{} // a straggler of a life that is over
	}
	c.last = n // it began again without saying so
	return backplane.Gap{Unknown: true}
}

// reached notes that its sender published up to n and returns what is missing.
func (c *count) reached(n uint64) backplane.Gap {
	last := c.last
	if n <= last {
		return backplane.Gap{}
	}
	c.last = n
	if lifeOf(n) > lifeOf(last) {
		return backplane.Gap{Lost: withinOf(n)}
	}
	return backplane.Gap{Lost: n - last}
}

// maxSenders bounds the senders whose messages are counted at one address.
const maxSenders = 1024

// counts are those of all senders at one address. The order is that of
// their first messages.
type counts []count

// of returns the count of a sender, nil if there is none.
func (cs counts) of(sender uint64) *count {
	for i := range cs {
		if cs[i].sender == sender {
			return &cs[i]
		}
	}
	return nil
}

// begin adds a sender whose message n is the first that came: what is missing
// before it cannot be known. Beyond the bound another is forgotten.
func (cs *counts) begin(sender, n uint64) {
	c := count{sender, n}
	if len(*cs) >= maxSenders {
		(*cs)[n%maxSenders] = c
		return
	}
	*cs = append(*cs, c)
}
