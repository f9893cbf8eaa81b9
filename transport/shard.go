package transport

import (
	"context"
	"sync"
	"sync/atomic"
)

// Recipient is a session and the form in which it takes messages.
type Recipient struct {
	Session *Session
	Form    Form
}

// Cast is one message for a set of sessions: the operation that a shard's
// writer carries out.
type Cast struct {
	Message *Message

	// To is the set, resolved when the cast was posted: sessions of the shard
	// it is posted to, none twice. The shard keeps the slice, so it must not
	// change any more; posting the very same slice again is what lets the
	// writer join messages (a room's member list that has not changed, say).
	To []Recipient

	// Solo is the only recipient if To is nil.
	Solo Recipient

	// Except is left out although it is in To. May be nil.
	Except *Session

	// Volatile messages are dropped, and counted, where they would have to
	// wait.
	Volatile bool

	// Position, if not zero, is the cast's place in a total order of casts:
	// the shard's position from now on. See Shard.Position.
	Position uint64

	// Replay marks a part of a replay: it is not charged to the session's
	// queue, since the caller has bounded it.
	Replay bool

	// Key, if not empty, names what the message is the latest value of: while
	// it waits on a slow session, a later one with the same key replaces it.
	Key string
}

// Bounds of a shard's inbox (V22). Above them Wait waits and volatile casts
// are dropped.
const (
	inboxMaxCasts = 16384
	inboxMaxBytes = 64 << 20
)

// Shard owns the writing to its share of the sessions (R11, R12). A cast is
// one append to its inbox; its writer goroutine takes all that is in the
// inbox, joins the messages for one and the same set of sessions, and makes
// one write(2) for each connection. The writer never blocks on a client.
type Shard struct {
	engine *Engine
	index  int

	// appended and flushed count casts. They are equal exactly when nothing is
	// on its way through the shard; then a single session may be written to
	// directly without overtaking anything (V15).
	appended atomic.Uint64
	flushed  atomic.Uint64

	mu     sync.Mutex // guards the fields below; a leaf in the lock order
	inbox  []Cast
	spare  []Cast
	bytes  int
	pos    uint64        // Position of the latest cast that had one
	space  chan struct{} // closed and replaced when a full inbox was taken
	closed bool

	wake chan struct{}
	done chan struct{}

	// A pass's counters, published once per pass.
	writes, delivered, droppedVolatile atomic.Uint64
}

func newShard(e *Engine, index int) *Shard {
	return &Shard{
		engine: e, index: index,
		wake: make(chan struct{}, 1), done: make(chan struct{}), space: make(chan struct{}),
	}
}

// Index is the shard's number, from 0.
func (sh *Shard) Index() int { return sh.index }

// Wait returns when the inbox is below its bounds, or with ctx's error. An
// emitter calls it before it resolves recipients; the casts it then posts are
// taken whatever came meanwhile, so the bounds are soft by the number of
// emitters at work.
func (sh *Shard) Wait(ctx context.Context) error {
	for {
		sh.mu.Lock()
		if sh.closed || len(sh.inbox) < inboxMaxCasts && sh.bytes < inboxMaxBytes {
			sh.mu.Unlock()
			return nil
		}
		space := sh.space
		sh.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Post hands a cast to the shard's writer and returns at once. Casts are
// written in the order in which they were posted. A volatile cast is dropped
// if the inbox is full.
func (sh *Shard) Post(c Cast) {
	if c.To != nil && len(c.To) == 0 {
		return
	}
	size := c.Message.size(0)
	sh.mu.Lock()
	if sh.closed {
		sh.mu.Unlock()
		return
	}
	if c.Volatile && (len(sh.inbox) >= inboxMaxCasts || sh.bytes >= inboxMaxBytes) {
		sh.mu.Unlock()
		sh.droppedVolatile.Add(uint64(max(len(c.To), 1)))
		return
	}
	first := sh.append(c, size)
	sh.mu.Unlock()
	if first {
		sh.wakeWriter()
	}
}

// append puts a cast into the inbox, and reports whether it is the first; sh.mu
// is held.
func (sh *Shard) append(c Cast, size int) (first bool) {
	sh.inbox = append(sh.inbox, c)
	sh.bytes += size
	if c.Position != 0 {
		sh.pos = c.Position
	}
	sh.appended.Add(1)
	return len(sh.inbox) == 1
}

func (sh *Shard) wakeWriter() {
	select {
	case sh.wake <- struct{}{}:
	default:
	}
}

// Position is the Position of the latest cast that had one, or what Advance
// set since: everything up to it has been posted to this shard.
func (sh *Shard) Position() uint64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.pos
}

// Advance sets the shard's position without a cast, for a place in the order
// that holds nothing for this shard's sessions.
func (sh *Shard) Advance(pos uint64) {
	sh.mu.Lock()
	sh.pos = pos
	sh.mu.Unlock()
}

// idle reports whether nothing is on its way through the shard.
func (sh *Shard) idle() bool { return sh.flushed.Load() == sh.appended.Load() }

// take returns all that is in the inbox.
func (sh *Shard) take() []Cast {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	in := sh.inbox
	if len(in) == 0 {
		return nil
	}
	if len(in) >= inboxMaxCasts || sh.bytes >= inboxMaxBytes {
		close(sh.space)
		sh.space = make(chan struct{})
	}
	sh.inbox, sh.spare, sh.bytes = sh.spare[:0], in, 0
	return in
}

// takeSolos removes, from the front of the inbox, casts for single sessions
// that the running pass has already served, until the first cast that is not
// for a single session. Taking them early reorders nothing: whatever the pass
// had for these sessions is written, and no cast for many is overtaken.
func (sh *Shard) takeSolos(served func(*Session) bool, dst []Cast) []Cast {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	keep := 0
	i := 0
	for ; i < len(sh.inbox) && sh.inbox[i].To == nil; i++ {
		if c := sh.inbox[i]; served(c.Solo.Session) {
			dst = append(dst, c)
			sh.bytes -= c.Message.size(0)
		} else {
			sh.inbox[keep] = c
			keep++
		}
	}
	if keep < i {
		n := keep + copy(sh.inbox[keep:], sh.inbox[i:])
		clear(sh.inbox[n:])
		sh.inbox = sh.inbox[:n]
	}
	return dst
}

// run is the writer goroutine; the engine starts it and waits for done.
func (sh *Shard) run() {
	defer close(sh.done)
	w := newWriter(sh)
	for range sh.wake {
		for {
			batch := sh.take()
			if batch == nil {
				break
			}
			w.pass(batch)
			clear(batch) // drop the references; the array is the next spare
			sh.flushed.Add(uint64(len(batch)))
		}
	}
}

// close ends the writer after what is in the inbox.
func (sh *Shard) close() {
	sh.mu.Lock()
	if sh.closed {
		sh.mu.Unlock()
		return
	}
	sh.closed = true
	close(sh.space)
	sh.mu.Unlock()
	close(sh.wake)
}
