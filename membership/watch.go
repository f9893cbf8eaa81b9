package membership

import (
	"context"
	"maps"
	"slices"
)

// watcher reports the differences between what it reported before and what the
// table holds now. That folds changes by itself and needs no queue: however
// slow the receiver, there is one known member per reported one.
type watcher struct {
	t      *Table
	wake   chan struct{} // capacity 1: the table changed
	events chan Event

	known map[string]Member // as reported, by the goroutine of run
}

// run is the goroutine of a watch that began when these members were present.
// They are reported even if they are gone by now, since somebody may wait for
// their end.
func (w *watcher) run(ctx context.Context, begun []Member) {
	defer close(w.events)
	defer w.forget()
	w.known = make(map[string]Member)
	for _, m := range begun {
		select {
		case w.events <- Event{Joined, m}:
			w.known[m.ID] = m
		case <-ctx.Done():
			return
		}
	}
	for {
		present, closed := w.t.snapshot()
		if !w.report(ctx, w.diff(present)) {
			continue // the table changed meanwhile
		}
		if ctx.Err() != nil || closed {
			return
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
	}
}

// report sends events. It returns false as soon as the table changed, since
// the rest may be out of date then.
func (w *watcher) report(ctx context.Context, events []Event) bool {
	for _, ev := range events {
		select {
		case w.events <- ev:
			w.note(ev)
		case <-w.wake:
			return false
		case <-ctx.Done():
			return true
		}
	}
	return true
}

func (w *watcher) forget() {
	w.t.mu.Lock()
	delete(w.t.watchers, w)
	w.t.mu.Unlock()
}

// diff returns how present differs from known: ends first, since somebody may
// wait for them, each part by ID.
func (w *watcher) diff(present []Member) []Event {
	var events []Event
	for _, id := range slices.Sorted(maps.Keys(w.known)) {
		if _, ok := find(present, id); !ok {
			events = append(events, Event{Gone, w.t.fate(w.known[id])})
		}
	}
	for _, m := range present {
		old, ok := w.known[m.ID]
		switch {
		case !ok:
			events = append(events, Event{Joined, m})
		case !equal(old, m):
			events = append(events, Event{Updated, m})
		}
	}
	return events
}

// note remembers that an event was reported.
func (w *watcher) note(ev Event) {
	if ev.Kind == Gone {
		delete(w.known, ev.Member.ID)
	} else {
		w.known[ev.Member.ID] = ev.Member
	}
}

func equal(a, b Member) bool {
	return a.Token == b.Token && a.Name == b.Name && a.Addr == b.Addr &&
		a.Started.Equal(b.Started) && a.Version == b.Version && a.State == b.State && maps.Equal(a.Meta, b.Meta)
}
