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
	// queue.
	Replay bool

	// Key, if not empty, names what the message is the latest value of: while
	// it waits on a slow session, a later one with the same key replaces it.
	Key string
}

// maxShards keeps a mistyped number from taking all memory: each shard is a
// goroutine with its tables.
const maxShards = 4096

// Shard owns the writing to its share of the sessions (R11, R12). A cast is
// one append to its inbox; its writer goroutine takes all that is in the
// inbox, joins the messages for one and the same set of sessions, and makes
// one write(2) for each connection. The writer never blocks on a client.
type Shard struct {
	engine *Engine
	index  int
	bounds Inbox

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
	space  chan struct{} // closed and replaced when a full inbox has room again
	closed bool

	// crowded is set while the inbox is at its bounds, or was when it was last
	// looked at: nobody waits for space if it is not.
	crowded atomic.Bool

	wake chan struct{}
	done chan struct{}

	// Counters. Those of a pass are added once, at its end.
	writes, delivered, sent, droppedVolatile atomic.Uint64
}

// wrote counts write(2) calls, the messages that they and queues took, and the
// bytes written.
func (sh *Shard) wrote(writes uint64, messages, bytes int) {
	sh.writes.Add(writes)
	sh.delivered.Add(uint64(messages))
	sh.sent.Add(uint64(bytes))
}

func newShard(e *Engine, index int, bounds Inbox) *Shard {
	return &Shard{
		engine: e, index: index, bounds: bounds,
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
	for sh.crowded.Load() {
		sh.mu.Lock()
		if sh.closed || !sh.full() {
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
	return nil
}

// Post hands a cast to the shard's writer and returns at once. Casts are
// written in the order in which they were posted. A volatile cast is dropped
// if the inbox is full. A cast without a message, or for nobody, does nothing.
func (sh *Shard) Post(c Cast) {
	if c.Message != nil && (len(c.To) > 0 || c.To == nil && c.Solo.Session != nil) {
		sh.post(c)
	}
}

// post is Post for the session's own use: a cast without a message closes the
// session in its turn. It reports whether the cast was taken.
func (sh *Shard) post(c Cast) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return false
	}
	if c.Volatile && sh.full() {
		sh.droppedVolatile.Add(uint64(max(len(c.To), 1)))
		return false
	}
	sh.append(c)
	return true
}

// append puts a cast into the inbox; sh.mu is held.
func (sh *Shard) append(c Cast) {
	sh.inbox = append(sh.inbox, c)
	sh.bytes += c.size()
	if c.Position != 0 {
		sh.pos = c.Position
	}
	sh.appended.Add(1)
	if sh.full() {
		sh.crowded.Store(true)
	}
	if len(sh.inbox) == 1 {
		sh.wakeUp()
	}
}

// roomy lets those go on who wait for space, if there is some again; sh.mu is
// held.
func (sh *Shard) roomy() {
	if sh.crowded.Load() && !sh.full() && !sh.closed {
		sh.crowded.Store(false)
		close(sh.space)
		sh.space = make(chan struct{})
	}
}

func (c *Cast) size() int {
	if c.Message == nil {
		return itemOverhead
	}
	return c.Message.size(0)
}

// full reports whether the inbox is at its bounds; sh.mu is held.
func (sh *Shard) full() bool {
	return len(sh.inbox) >= sh.bounds.MaxMessages || sh.bytes >= sh.bounds.MaxBytes
}

func (sh *Shard) depth() int {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return len(sh.inbox)
}

func (sh *Shard) wakeUp() {
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

// take returns all that is in the inbox, and whether the shard is closed.
func (sh *Shard) take() (in []Cast, closed bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	in = sh.inbox
	if len(in) == 0 {
		return nil, sh.closed
	}
	sh.inbox, sh.spare, sh.bytes = sh.spare[:0], in, 0
	sh.roomy()
	return in, sh.closed
}

// takeSolos removes, from the front of the inbox, the casts for single
// sessions that free allows, until the first cast that is not for a single
// session. It reports whether it left some for single sessions there.
//
// Taking casts early reorders nothing if free means that the running pass has
// nothing left for a session: no cast for many is overtaken, and those for one
// and the same session keep their order.
func (sh *Shard) takeSolos(free func(*Session) bool, dst []Cast) (solos []Cast, left bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	keep, i := 0, 0
	for ; i < len(sh.inbox) && sh.inbox[i].To == nil; i++ {
		if c := sh.inbox[i]; free(c.Solo.Session) {
			dst = append(dst, c)
			sh.bytes -= c.size()
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
	sh.roomy()
	return dst, keep > 0
}

// run is the writer goroutine; the engine starts it and waits for done.
func (sh *Shard) run() {
	defer close(sh.done)
	w := newWriter(sh)
	for {
		batch, closed := sh.take()
		if batch == nil {
			if closed {
				return
			}
			<-sh.wake
			continue
		}
		w.pass(batch)
		clear(batch) // drop the references; the array is the next spare
		sh.flushed.Add(uint64(len(batch)))
	}
}

// close ends the writer after what is in the inbox.
func (sh *Shard) close() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.closed {
		sh.closed = true
		close(sh.space)
		sh.wakeUp()
	}
}
