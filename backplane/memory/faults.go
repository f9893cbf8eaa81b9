package memory

import (
	"fmt"
	"slices"

	"github.com/siod-io/siod/backplane"
)

// Freeze makes a member look like a stopped process. Nothing reaches it:
// deliveries and log entries wait in order, within the bounds of the Config.
// Nothing leaves it: what it publishes and replies waits too, and its requests,
// barriers, appends and health checks wait for Thaw or their contexts. Others
// go on without noticing, except that it does not answer. A handler call that
// runs is not interrupted.
func (h *Hub) Freeze(id string) error {
	h.lockLogs()
	defer h.unlockLogs()
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.lookup(id)
	if m == nil {
		return fmt.Errorf("%w: %q is not there", ErrMember, id)
	}
	if m.state.CompareAndSwap(running, frozen) {
		m.queue.stop(m, true)
		h.notify()
	}
	return nil
}

// Thaw lets a frozen member go on: what it sent meanwhile leaves in order, it
// catches up with the logs, and handles what waited for it. The log is caught
// up with when Thaw returns.
func (h *Hub) Thaw(id string) error {
	for {
		m, sends, err := h.thaw(id)
		if err != nil {
			return err
		}
		if len(sends) == 0 {
			m.queue.stop(m, false)
			return nil
		}
		for _, send := range sends {
			send()
		}
	}
}

// thaw returns what must be sent first, or lets the member run.
func (h *Hub) thaw(id string) (*Backplane, []func(), error) {
	h.lockLogs()
	defer h.unlockLogs()
	h.mu.Lock()
	m := h.lookup(id)
	if m == nil {
		h.mu.Unlock()
		return nil, nil, fmt.Errorf("%w: %q is not there", ErrMember, id)
	}
	if sends := m.outbox; len(sends) > 0 {
		m.outbox = nil
		h.mu.Unlock()
		return m, sends, nil
	}
	m.state.CompareAndSwap(frozen, running)
	h.notify()
	h.mu.Unlock()
	h.catchUp([]*Backplane{m})
	return m, nil, nil
}

// Kill ends a member as SIGKILL ends a process: every method of its handle
// returns ErrClosed from now on, nothing that waited for it or came from it and
// was not delivered yet is, and nobody waits for it any more. A handler call
// that runs ends by itself; Close of the handle waits for it.
func (h *Hub) Kill(id string) error {
	h.mu.RLock()
	m := h.lookup(id)
	h.mu.RUnlock()
	if m == nil {
		return fmt.Errorf("%w: %q is not there", ErrMember, id)
	}
	m.die()
	return nil
}

// Partition cuts the connections between groups of members; those that are in
// no group form one more. What is published across is lost and counted. The
// logs belong to the first group: the others neither append nor get entries,
// and their health checks fail. A new call replaces the partition.
func (h *Hub) Partition(groups ...[]string) {
	h.regroup(func(id string) int {
		i := slices.IndexFunc(groups, func(g []string) bool { return slices.Contains(g, id) })
		if i < 0 {
			return len(groups)
		}
		return i
	})
}

// Heal ends a partition. Members catch up with the logs before it returns, and
// are told what they lost.
func (h *Hub) Heal() {
	h.regroup(func(string) int { return 0 })
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, m := range h.members {
		m.queue.tell(m)
	}
}

func (h *Hub) regroup(group func(id string) int) {
	h.lockLogs()
	defer h.unlockLogs()
	h.mu.Lock()
	for _, m := range h.members {
		m.group = group(m.id)
	}
	h.recheck()
	h.notify()
	members := slices.Clone(h.members)
	h.mu.Unlock()
	h.catchUp(members)
}

// HoldLogs has the logs, and the store of sessions, take no writes, as without
// a leader, until ReleaseLogs.
func (h *Hub) HoldLogs() { h.hold(true) }

// ReleaseLogs ends HoldLogs. What waited is stored in order.
func (h *Hub) ReleaseLogs() { h.hold(false) }

func (h *Hub) hold(held bool) {
	h.lockLogs()
	defer h.unlockLogs()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.logs {
		l.held = held
	}
	if h.sessions != nil {
		h.sessions.held = held
	}
	h.notify()
}

// Rewind makes a log lose its entries beyond seq, as a replicated log in memory
// can when too many of its stores die. Entries are kept for it only as for
// Config.Window; it returns ErrTrimmed if they do not reach back to seq.
func (h *Hub) Rewind(log int, seq uint64) error {
	l := h.logs[log]
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= l.last.Seq {
		return nil
	}
	pos, ok := l.kept.rewind(seq)
	if !ok {
		return backplane.ErrTrimmed
	}
	l.last = pos
	for _, t := range l.tails {
		if t.position().Seq <= seq {
			continue
		}
		t.at(pos, seq)
		if t.ready() {
			t.handler.Reset(backplane.Reset{Position: pos, Reason: backplane.ResetRewind})
		} else {
			t.rewound = true
		}
	}
	return nil
}

// catchUp brings members that can exchange with the logs to their ends. The
// caller holds all log locks.
func (h *Hub) catchUp(members []*Backplane) {
	for _, m := range members {
		for _, l := range m.logs {
			if l.ready() {
				l.catchUp()
			}
		}
	}
}

func (h *Hub) lockLogs() {
	for _, l := range h.logs {
		l.mu.Lock()
	}
	if h.sessions != nil {
		h.sessions.mu.Lock()
	}
}

func (h *Hub) unlockLogs() {
	if h.sessions != nil {
		h.sessions.mu.Unlock()
	}
	for _, l := range h.logs {
		l.mu.Unlock()
	}
}
