package node

import (
	"container/list"
	"sync"
	"time"
)

// lapses ends things in the order in which they were added, each after the same
// time, and the oldest early if there are too many. One timer serves all.
type lapses[T comparable] struct {
	after time.Duration
	most  int
	lapse func(T, time.Time) // called without a lock, with the time from add

	mu     sync.Mutex // a leaf
	order  list.List  // of lapsing[T], oldest first
	at     map[T]*list.Element
	timer  *time.Timer
	closed bool
}

type lapsing[T comparable] struct {
	key T
	due time.Time
}

func (l *lapses[T]) init(after time.Duration, most int, lapse func(T, time.Time)) {
	l.after, l.most, l.lapse = after, most, lapse
	l.at = make(map[T]*list.Element)
}

// add begins the time of a key, or begins it anew, and returns when it is up.
func (l *lapses[T]) add(key T) (due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due = time.Now().Add(l.after)
	if l.closed {
		return due
	}
	if e := l.at[key]; e != nil {
		l.order.Remove(e)
	}
	l.at[key] = l.order.PushBack(lapsing[T]{key, due})
	switch {
	case l.timer == nil:
		l.timer = time.AfterFunc(l.after, l.run)
	case len(l.at) == 1:
		l.timer.Reset(l.after)
	case len(l.at) > l.most:
		l.timer.Reset(0)
	}
	return due
}

// remove ends a key's time without a word.
func (l *lapses[T]) remove(key T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.at[key]; e != nil {
		l.order.Remove(e)
		delete(l.at, key)
	}
}

func (l *lapses[T]) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.at)
}

// run ends all whose time is up, and sets the timer for the next.
func (l *lapses[T]) run() {
	for {
		k, ok := l.next(time.Now())
		if !ok {
			return
		}
		l.lapse(k.key, k.due)
	}
}

func (l *lapses[T]) next(now time.Time) (k lapsing[T], ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.order.Front()
	if e == nil || l.closed {
		return k, false
	}
	k = e.Value.(lapsing[T])
	if left := k.due.Sub(now); left > 0 && len(l.at) <= l.most {
		l.timer.Reset(left)
		return k, false
	}
	l.order.Remove(e)
	delete(l.at, k.key)
	return k, true
}

// close stops the clock. Nothing lapses any more.
func (l *lapses[T]) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.order.Init()
	clear(l.at)
}
