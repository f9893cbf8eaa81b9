package transport

// item is one message that waits on one session. It refers to the message and
// not to bytes: which bytes are right is decided when they are written, since
// the session may upgrade from polling to WebSocket in between (R13).
type item struct {
	msg      *Message
	key      string // a later item with the same key replaces this one
	form     Form
	volatile bool
	free     bool // part of a replay, which has a bound of its own
}

// size is what the item counts for in the queue's bound.
func (it *item) size() int {
	if it.free {
		return 0
	}
	return it.msg.size(it.form)
}

// waiting is what waits in the session's queue, and before it: nothing, for a
// gauge, if the session is being written to at this very moment.
func (s *Session) waiting() (messages, bytes int) {
	if !s.mu.TryLock() {
		return 0, 0
	}
	defer s.mu.Unlock()
	bytes = s.queue.bytes
	if s.conn != nil {
		bytes += len(s.conn.out)
	}
	return s.queue.len(), bytes
}

// packets is how many Engine.IO packets the message is.
func (it *item) packets() int {
	f := it.msg.Frames(it.form)
	n := len(f.Binary)
	if f.Text != nil {
		n++
	}
	return n
}

// queue holds what could not be written at once. Its bounds are kept by
// Session.enqueue, which knows what to do at them. The zero value is empty and
// holds no memory.
type queue struct {
	items []item
	head  int
	bytes int
	free  int // entries that are not charged
}

func (q *queue) len() int { return len(q.items) - q.head }

// charged is the number of messages that count for the queue's bound.
func (q *queue) charged() int { return q.len() - q.free }

// waiting is what is queued, first to last, until the next change.
func (q *queue) waiting() []item { return q.items[q.head:] }

func (q *queue) push(it item) {
	q.compact()
	q.items = append(q.items, it)
	q.bytes += it.size()
	if it.free {
		q.free++
	}
}

func (q *queue) pop() (item, bool) {
	if q.head == len(q.items) {
		return item{}, false
	}
	it := q.items[q.head]
	q.drop()
	return it, true
}

// drop removes the oldest message.
func (q *queue) drop() {
	it := &q.items[q.head]
	q.bytes -= it.size()
	if it.free {
		q.free--
	}
	*it = item{}
	if q.head++; q.head == len(q.items) {
		q.clear()
	}
}

// conflate removes an older message with the given key and reports whether
// there was one. It is linear; keys are only looked for on sessions that lag.
func (q *queue) conflate(key string) bool {
	for i := q.head; i < len(q.items); i++ {
		if q.items[i].key == key {
			// Close the gap from the front: old messages are the likely ones.
			gone := q.items[i]
			copy(q.items[q.head+1:i+1], q.items[q.head:i])
			q.items[q.head] = gone
			q.drop()
			return true
		}
	}
	return false
}

// keepBacking is how many entries an emptied queue keeps for the next burst.
const keepBacking = 16

func (q *queue) clear() {
	if cap(q.items) > keepBacking {
		*q = queue{}
		return
	}
	clear(q.items)
	*q = queue{items: q.items[:0]}
}

// compact moves the messages to the front once half of the backing array is
// behind the head, so that a queue that never empties does not grow.
func (q *queue) compact() {
	if q.head < keepBacking || q.head < len(q.items)/2 {
		return
	}
	n := copy(q.items, q.items[q.head:])
	clear(q.items[n:])
	q.items, q.head = q.items[:n], 0
}
