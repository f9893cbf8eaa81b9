package memory

import (
	"iter"
	"time"

	"github.com/siod-io/siod/backplane"
)

// kept are the newest entries of a log without a hole, as far as anybody may
// still need them. Its owner's lock guards it.
type kept struct {
	base     backplane.Position // of the entry before the first one, if there are any
	entries  ring[backplane.Entry]
	bytes    int
	maxBytes int
}

// add appends an entry; before is the position of the log until then.
func (k *kept) add(before backplane.Position, e backplane.Entry) {
	if k.entries.len() == 0 {
		k.base = before
	}
	k.entries.push(e)
	k.bytes += e.Envelope.Size()
}

// trim drops what was stored before a time or does not fit.
func (k *kept) trim(oldest time.Time) {
	for k.entries.len() > 0 {
		e := k.entries.at(0)
		if e.Stored.After(oldest) && k.bytes <= k.maxBytes {
			return
		}
		k.base = e.Position
		k.bytes -= e.Envelope.Size()
		k.entries.pop()
	}
}

// before returns the position from which on entries are there, for a log that
// ends at last.
func (k *kept) before(last backplane.Position) backplane.Position {
	if k.entries.len() == 0 {
		return last
	}
	return k.base
}

// after yields the entries beyond a sequence.
func (k *kept) after(seq uint64) iter.Seq[backplane.Entry] {
	return func(yield func(backplane.Entry) bool) {
		for i := range k.entries.len() {
			if e := *k.entries.at(i); e.Seq > seq && !yield(e) {
				return
			}
		}
	}
}

// slice returns the entries with after < Seq <= upTo.
func (k *kept) slice(after, upTo uint64) []backplane.Entry {
	var s []backplane.Entry
	for e := range k.after(after) {
		if e.Seq > upTo {
			break
		}
		s = append(s, e)
	}
	return s
}

// rewind drops the entries beyond a sequence and returns the position of the
// one that is last then; false if that is not known any more.
func (k *kept) rewind(seq uint64) (backplane.Position, bool) {
	if k.entries.len() == 0 || seq < k.base.Seq {
		return backplane.Position{}, false
	}
	pos := k.base
	for k.entries.len() > 0 {
		e := k.entries.at(k.entries.len() - 1)
		if e.Seq <= seq {
			return e.Position, true
		}
		k.bytes -= e.Envelope.Size()
		k.entries.drop()
	}
	return pos, true
}
