package transport

// item is one message that waits on one session. It refers to the message and
// not to bytes: which bytes are right is decided when they are written, since
// the session may upgrade from polling to WebSocket in between (R13).
type item struct {
	msg      *Message
	key      string // conflation key: a later item of the same key replaces this one
	form     Form
	volatile bool
	free     bool // part of a replay, which has a bound of its own
	control  engineControl
}

// engineControl is an Engine.IO packet without content that shares the queue
// with messages. Zero means that the item is a message.
type engineControl uint8

const (
	controlNone engineControl = iota
	controlPing
	controlPong
	controlPongProbe
	controlClose // end of the session, after all that was queued before it
)

func (it *item) size() int {
	switch {
	case it.free:
		return 0
	case it.msg == nil:
		return itemOverhead
	}
	return it.msg.size(it.form)
}

// queue holds what could not be written at once. It is bounded by the caller
// (session.enqueue), which knows the limits and what to do at them. The zero
// value is empty and holds no memory.
type queue struct {
	items []item
	head  int
	bytes int
	free  int // entries that are not charged
}

func (q *queue) len() int { return len(q.items) - q.head }

// charged is how many entries count against the bound.
func (q *queue) charged() int { return q.len() - q.free }

func (q *queue) account(it item, sign int) {
	q.bytes += sign * it.size()
	if it.free {
		q.free += sign
	}
}

func (q *queue) push(it item) {
	q.compact()
	q.items = append(q.items, it)
	q.account(it, 1)
}

// pushFront puts a control packet before everything: a heartbeat must not wait
// behind a backlog.
func (q *queue) pushFront(it item) {
	q.bytes += it.size()
	if q.head > 0 {
		q.head--
		q.items[q.head] = it
		return
	}
	q.items = append(q.items, item{})
	copy(q.items[1:], q.items)
	q.items[0] = it
}

func (q *queue) pop() (item, bool) {
	if q.head == len(q.items) {
		return item{}, false
	}
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.account(it, -1)
	if q.head == len(q.items) {
		q.reset()
	}
	return it, true
}

// conflate removes an older item with the given key and reports whether there
// was one. It is linear; keys are only looked for on sessions that lag.
func (q *queue) conflate(key string) bool {
	for i := q.head; i < len(q.items); i++ {
		if q.items[i].key == key {
			q.remove(i)
			return true
		}
	}
	return false
}

// dropOldest removes the oldest message that is not a control packet.
func (q *queue) dropOldest() bool {
	for i := q.head; i < len(q.items); i++ {
		if q.items[i].msg != nil {
			q.remove(i)
			return true
		}
	}
	return false
}

// dropVolatile removes the oldest volatile message.
func (q *queue) remove(i int) {
	q.account(q.items[i], -1)
	copy(q.items[i:], q.items[i+1:])
	q.items[len(q.items)-1] = item{}
	q.items = q.items[:len(q.items)-1]
	if q.head == len(q.items) {
		q.reset()
	}
}

// keepBacking is how many entries an emptied queue keeps for the next burst.
const keepBacking = 16

func (q *queue) reset() {
	q.head, q.bytes, q.free = 0, 0, 0
	if cap(q.items) > keepBacking {
		q.items = nil
		return
	}
	q.items = q.items[:0]
}

// compact moves the items to the front once half of the backing array is
// behind the head, so that a queue that never empties does not grow.
func (q *queue) compact() {
	if q.head < keepBacking || q.head < len(q.items)/2 {
		return
	}
	n := copy(q.items, q.items[q.head:])
	clear(q.items[n:])
	q.items, q.head = q.items[:n], 0
}
