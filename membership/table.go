package membership

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Table holds the members that an implementation of [Membership] knows of and
// feeds those who watch them. It keeps these rules:
//
//   - A boot id that left, or was ended by a newer boot, stays gone.
//   - Of two boots with one non-empty Name the later one ends the other as Dead:
//     a node that restarted is known before anything noticed its end (V17).
//   - A token belongs to one present member at a time.
//
// The zero value is an empty table. All methods are safe for concurrent use.
// None calls back or sends on a channel while it holds the lock.
type Table struct {
	mu       sync.Mutex
	present  []Member            // sorted by ID; replaced, never changed
	tokens   map[string]string   // id of each present token
	gone     map[string]Member   // last state of those that were present
	ended    map[string]struct{} // ids that never come back
	closed   bool
	watchers map[*watcher]struct{}
}

// maxGone bounds the members remembered after their end, for events that were
// not sent yet and for ids that must not return.
const maxGone = 4096

// Put adds a member or replaces what is known of it. A member whose State is
// not Present is removed.
//
// Errors: [ErrDuplicate] if another present member has its token, its id ended
// before, or a later boot of its Name is present.
func (t *Table) Put(m Member) error {
	m.Meta = maps.Clone(m.Meta)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !m.State.Present() {
		t.remove(m.ID, m.State)
		return nil
	}
	if _, ok := t.ended[m.ID]; ok {
		return ErrDuplicate
	}
	var older []string
	for _, p := range t.present {
		switch {
		case p.ID == m.ID:
		case m.Name != "" && p.Name == m.Name:
			if m.Started.Before(p.Started) {
				return ErrDuplicate
			}
			older = append(older, p.ID)
		case p.Token == m.Token:
			return ErrDuplicate
		}
	}
	for _, id := range older {
		t.remove(id, Dead)
		t.end(id)
	}
	next := slices.Clone(t.present)
	if i, ok := t.find(m.ID); ok {
		delete(t.tokens, next[i].Token)
		next[i] = m
	} else {
		next = slices.Insert(next, i, m)
	}
	if t.tokens == nil {
		t.tokens = make(map[string]string)
	}
	t.present, t.tokens[m.Token] = next, m.ID
	delete(t.gone, m.ID)
	t.changed()
	return nil
}

// Remove takes a member out, for the reason that a State tells: Left is for
// good, Dead may turn out to be wrong.
func (t *Table) Remove(id string, why State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(id, why)
}

func (t *Table) remove(id string, why State) {
	if why == Left {
		t.end(id)
	}
	i, ok := t.find(id)
	if !ok {
		return
	}
	m := t.present[i]
	m.State = why
	t.present = slices.Delete(slices.Clone(t.present), i, i+1)
	delete(t.tokens, m.Token)
	if t.gone == nil {
		t.gone = make(map[string]Member)
	}
	if len(t.gone) >= maxGone {
		clear(t.gone) // watchers then report what they know themselves
	}
	t.gone[id] = m
	t.changed()
}

// end remembers that an id is gone for good. The caller holds mu.
func (t *Table) end(id string) {
	if t.ended == nil {
		t.ended = make(map[string]struct{})
	}
	if len(t.ended) >= maxGone {
		clear(t.ended)
	}
	t.ended[id] = struct{}{}
}

func (t *Table) find(id string) (int, bool) { return find(t.present, id) }

// find returns the place of an id in a sorted list.
func find(members []Member, id string) (int, bool) {
	return slices.BinarySearchFunc(members, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
}

// Members returns the present members, sorted by ID. The slice is shared and
// must not be changed.
func (t *Table) Members() []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.present
}

// Lookup returns the present member with a boot id.
func (t *Table) Lookup(id string) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.find(id); ok {
		return t.present[i], true
	}
	return Member{}, false
}

// ByToken returns the present member with a token.
func (t *Table) ByToken(token string) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.find(t.tokens[token]); ok {
		return t.present[i], true
	}
	return Member{}, false
}

// Close ends all watches, once they reported what happened until now.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.changed()
}

// changed wakes the watchers. The caller holds mu.
func (t *Table) changed() {
	for w := range t.watchers {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// snapshot is what a watcher compares with.
func (t *Table) snapshot() (present []Member, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.present, t.closed
}

// fate returns how a member ended, from what is last known of it.
func (t *Table) fate(known Member) Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m, ok := t.gone[known.ID]; ok {
		return m
	}
	known.State = Dead
	return known
}

// Watch implements Membership.Watch.
func (t *Table) Watch(ctx context.Context) <-chan Event {
	w := &watcher{t: t, wake: make(chan struct{}, 1), events: make(chan Event)}
	t.mu.Lock()
	if t.watchers == nil {
		t.watchers = make(map[*watcher]struct{})
	}
	t.watchers[w] = struct{}{}
	begun := t.present
	t.mu.Unlock()
	go w.run(ctx, begun)
	return w.events
}
