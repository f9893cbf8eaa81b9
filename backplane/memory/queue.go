package memory

import (
	"sync"

	"github.com/siod-io/siod/backplane"
)

// queue holds what waits for the handlers of one member. A goroutine empties
// it, which exists only while there is something to do.
type queue struct {
	mu     sync.Mutex
	items  ring[item]
	bytes  int // envelopes in items
	count  int // deliveries in items
	maxLen int
	maxMem int

	losses map[lossKey]uint64 // not told yet
	vague  bool               // losses beyond maxLosses, not told yet
	flush  bool               // tell losses when the queue is empty

	active  bool // the goroutine runs
	stopped bool // frozen
	closed  bool

	delivered, lost uint64
}

// item is a delivery, or one of the two controls.
type item struct {
	sub  *subscription
	to   backplane.Address
	env  *backplane.Envelope
	size int
	gap  backplane.Gap
	req  *request

	watch  *roomWatch    // control: room changes to report
	canary chan struct{} // control: close it
}

// lossKey is what losses are counted by (R22).
type lossKey struct {
	sub  *subscription
	from string
	to   backplane.Address
}

// maxLosses bounds the keys that losses are counted by; beyond it they are
// known by their number only.
const maxLosses = 4096

func (q *queue) init(c Config) {
	q.maxLen, q.maxMem = c.Queue, c.QueueBytes
	q.losses = make(map[lossKey]uint64)
}

// push queues a delivery and reports whether there was room.
func (q *queue) push(b *Backplane, it item, key lossKey) bool {
	it.size = it.env.Size()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if q.count >= q.maxLen || q.bytes+it.size > q.maxMem {
		q.loseLocked(key)
		q.flush = true
		return false
	}
	if n := q.losses[key]; n > 0 {
		it.gap.Lost = n
		delete(q.losses, key)
	}
	q.count++
	q.bytes += it.size
	q.items.push(it)
	q.wake(b)
	return true
}

// control queues a control item, which is not bounded: there is one canary per
// caller of Healthy and one wake-up per watch.
func (q *queue) control(b *Backplane, it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.items.push(it)
		q.wake(b)
	}
}

// lose counts a delivery that was cut off. It is told with the next one from
// the same publisher at the same address, or by tell.
func (q *queue) lose(key lossKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loseLocked(key)
}

func (q *queue) loseLocked(key lossKey) {
	q.lost++
	if _, ok := q.losses[key]; !ok && len(q.losses) >= maxLosses {
		q.vague = true
		return
	}
	q.losses[key]++
}

// tell has the losses that nobody was told of reported, as a digest of the
// publishers' counters would show them.
func (q *queue) tell(b *Backplane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.losses) > 0 || q.vague {
		q.flush = true
		q.wake(b)
	}
}

// stop holds everything back, or goes on.
func (q *queue) stop(b *Backplane, stopped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = stopped
	q.wake(b)
}

// wake starts the goroutine if it is needed. The caller holds mu.
func (q *queue) wake(b *Backplane) {
	if q.active || q.stopped || q.closed || (q.items.len() == 0 && !q.flush) {
		return
	}
	q.active = true
	b.wg.Go(func() { q.run(b) })
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.items = ring[item]{}
	clear(q.losses)
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{Waiting: q.count, Delivered: q.delivered, Lost: q.lost}
}

// run delivers until nothing is left to do.
func (q *queue) run(b *Backplane) {
	for {
		it, ok := q.next(b)
		if !ok {
			return
		}
		switch {
		case it.canary != nil:
			close(it.canary)
		case it.watch != nil:
			it.watch.report()
		case !it.sub.closed.Load():
			it.sub.h(it.delivery(b))
		}
	}
}

// next takes the next item. The last items of a lossy time are notices.
func (q *queue) next(b *Backplane) (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.stopped && !q.closed {
		if it, ok := q.items.pop(); ok {
			if it.env != nil {
				q.count--
				q.bytes -= it.size
				q.delivered++
			}
			return it, true
		}
		if !q.flush {
			break
		}
		for key, n := range q.losses {
			delete(q.losses, key)
			return item{sub: key.sub, to: key.to, gap: backplane.Gap{Lost: n}}, true
		}
		q.flush = false
		if q.vague {
			q.vague = false
			if s := b.self.Load(); s != nil {
				return item{sub: s, gap: backplane.Gap{Unknown: true}}, true
			}
		}
	}
	q.active = false
	return item{}, false
}

// delivery is the item as its handler gets it.
func (it item) delivery(b *Backplane) backplane.Delivery {
	d := backplane.Delivery{To: it.to, Envelope: it.env, Gap: it.gap}
	if it.req != nil {
		d.Reply = it.req.replier(b)
	}
	return d
}
