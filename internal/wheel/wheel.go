package wheel

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

const (
	// DefaultTick is the tick of a Wheel made with none.
	DefaultTick = 10 * time.Millisecond

	// slotCount slots of 10 ms make a turn of 41 s, so that most heartbeats
	// are met once only. The slots take 32 KiB.
	slotCount = 4096
	slotMask  = slotCount - 1

	// relinkBatch is how many timers of later turns go back to their slot
	// before the lock is let go for a moment.
	relinkBatch = 256

	never = math.MaxInt64
)

// Handler is called when a timer expires.
type Handler interface {
	// Expired is called on the goroutine of the wheel, one call at a time for
	// all timers, so it must not block and not call Close. The timer is not
	// scheduled any more; the handler may schedule it again. Timers of the
	// same tick come in any order.
	Expired(t *Timer)
}

// Timer is one timer, to be embedded in what it belongs to. Call Init before
// scheduling it. It must not be copied afterwards and belongs to one Wheel at
// a time. It takes 40 bytes.
type Timer struct {
	handler Handler
	next    *Timer
	link    **Timer // what points here: a slot, or next of another timer; nil when not scheduled
	when    int64   // tick at which it expires
}

// Init sets the handler, once, before t is first scheduled. A timer without
// one expires without effect.
func (t *Timer) Init(h Handler) { t.handler = h }

// A Wheel runs timers. All methods may be called by several goroutines at once,
// and none but Close blocks.
type Wheel struct {
	start time.Time
	tick  time.Duration
	kick  chan struct{} // wakes the goroutine for an earlier timer or for the end
	done  chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	cursor int64             // last tick that was looked at; slots hold later ones
	sleep  int64             // tick until which the goroutine sleeps; 0 while it is awake
	count  int               // scheduled timers
	passes uint64            // times the goroutine looked at the slots
	due    *Timer            // list taken from a slot
	slots  [slotCount]*Timer // lists by tick modulo slotCount
	filled [slotCount / 64]uint64
	closed bool
}

// New returns a running Wheel that rounds up to ticks. Zero means DefaultTick.
// Close ends it.
func New(tick time.Duration) *Wheel {
	if tick <= 0 {
		tick = DefaultTick
	}
	w := &Wheel{
		start: time.Now(),
		tick:  tick,
		kick:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	go w.run()
	return w
}

// Schedule lets t expire once, d from now; a d of zero or less means at the
// next tick. If t is scheduled already, the new time replaces the old one, and
// the handler is not called for the old one any more unless that call has
// begun. After Close nothing happens.
func (w *Wheel) Schedule(t *Timer, d time.Duration) {
	elapsed := time.Since(w.start)
	// Rounded up, so never early; a d beyond the range of time is for ever.
	when := int64(never)
	if d = max(d, 0); d <= math.MaxInt64-elapsed-w.tick {
		when = int64((elapsed + d + w.tick - 1) / w.tick)
	}

	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	when = max(when, w.cursor+1)
	w.unlink(t)
	t.when = when
	w.insert(t)
	wake := when < w.sleep
	if wake {
		w.sleep = 0
	}
	w.mu.Unlock()
	if wake {
		w.wake()
	}
}

// Stop takes t off the wheel and reports whether it was scheduled. The handler
// is not called any more, unless that call has begun: then Stop returns false
// and does not wait for it.
func (w *Wheel) Stop(t *Timer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unlink(t)
}

// Len returns the number of scheduled timers.
func (w *Wheel) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// Close ends the wheel: no handler is called any more, and Close waits for one
// that is running. It may be called more than once, but not by a handler.
func (w *Wheel) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake()
	<-w.done
}

func (w *Wheel) wake() {
	select {
	case w.kick <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// insert links t into the slot of t.when. The caller holds mu.
func (w *Wheel) insert(t *Timer) {
	i := t.when & slotMask
	head := &w.slots[i]
	t.next, t.link = *head, head
	if t.next != nil {
		t.next.link = &t.next
	}
	*head = t
	w.filled[i/64] |= 1 << (i % 64)
	w.count++
}

// unlink takes t out of its list, a slot's or the due one, and reports whether
// it was in one. A slot found empty is marked so, also after its list became the
// due one. The caller holds mu.
func (w *Wheel) unlink(t *Timer) bool {
	if t.link == nil {
		return false
	}
	*t.link = t.next
	if t.next != nil {
		t.next.link = t.link
	}
	t.next, t.link = nil, nil
	w.count--
	if i := t.when & slotMask; w.slots[i] == nil {
		w.filled[i/64] &^= 1 << (i % 64)
	}
	return true
}

// run is the wheel's goroutine.
func (w *Wheel) run() {
	defer close(w.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, ok := w.pass()
		if !ok {
			return
		}
		if next != never {
			timer.Reset(time.Duration(next)*w.tick - time.Since(w.start))
		}
		select {
		case <-timer.C:
		case <-w.kick:
		}
	}
}

// pass calls the handlers of all timers that are due and returns the tick to
// sleep until. Not ok means that the wheel is closed.
func (w *Wheel) pass() (next int64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passes++
	w.sleep = 0
	for !w.closed {
		now := int64(time.Since(w.start) / w.tick)
		next := w.nextFilled()
		if next > now {
			w.cursor = max(w.cursor, now)
			w.sleep = next
			return next, true
		}
		w.cursor = next
		w.expire(next & slotMask)
	}
	return 0, false
}

// nextFilled returns the first tick after the cursor whose slot holds timers,
// or never. The timers may be due some turns later only. The caller holds mu.
func (w *Wheel) nextFilled() int64 {
	first := w.cursor + 1
	i := first & slotMask
	// One word more than there are, since the first is looked at from the
	// middle, and at its end again.
	word := w.filled[i/64] >> (i % 64) << (i % 64)
	for k := range int64(len(w.filled) + 1) {
		at := (i/64 + k) % int64(len(w.filled))
		if k > 0 {
			word = w.filled[at]
		}
		if word != 0 {
			slot := at*64 + int64(bits.TrailingZeros64(word))
			return first + (slot-i)&slotMask
		}
	}
	return never
}

// expire calls the handlers of the timers of the cursor's tick, which are in
// slot among those of later turns. The caller holds mu, which is released during
// the calls.
func (w *Wheel) expire(slot int64) {
	w.due = w.slots[slot]
	w.due.link = &w.due
	w.slots[slot] = nil
	for n := 1; w.due != nil && !w.closed; n++ {
		t := w.due
		w.unlink(t)
		if t.when > w.cursor {
			w.insert(t) // of a later turn
			if n%relinkBatch == 0 {
				w.mu.Unlock()
				w.mu.Lock()
			}
			continue
		}
		if h := t.handler; h != nil {
			w.mu.Unlock()
			h.Expired(t)
			w.mu.Lock()
		}
	}
}
