package memory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
)

// Config of a [Hub]. The zero value is ready for use.
type Config struct {
	// Limits bounds envelopes. Zero fields mean the defaults there.
	Limits backplane.Limits

	// Queue is the number of deliveries that may wait for one member; what is
	// beyond it is lost, counted and told. Zero means 65,536.
	Queue int

	// QueueBytes bounds the envelopes of these deliveries. Zero means 64 MiB.
	QueueBytes int

	// Logs is the number of durable logs. Zero means 1, negative means none.
	Logs int

	// Window is how long entries of a log are kept for nodes that join later
	// and Read them. Zero means that they are kept only while a member is
	// behind.
	Window time.Duration

	// Behind is how long entries are kept for members that are behind. One that
	// is behind further gets a Reset with ResetJump. Zero means 2 minutes.
	Behind time.Duration

	// RetainBytes bounds the entries kept in each log, for whatever reason.
	// Zero means 64 MiB.
	RetainBytes int

	// Sessions makes a store of session journals and owners, which members can
	// recover the sessions of a killed one from. It is how long a journal is
	// kept after its home died, and an owner record after it was renewed. Zero
	// means no store: members have no backplane.Sessions (V21).
	Sessions time.Duration
}

func (c Config) withDefaults() Config {
	c.Queue = cmp.Or(c.Queue, 65_536)
	c.QueueBytes = cmp.Or(c.QueueBytes, 64<<20)
	c.Logs = cmp.Or(c.Logs, 1)
	c.Behind = cmp.Or(c.Behind, 2*time.Minute)
	c.RetainBytes = cmp.Or(c.RetainBytes, 64<<20)
	return c
}

// Hub connects the members of one process. It needs no closing: when its
// members are closed, nothing of it is left.
type Hub struct {
	cfg  Config
	logs []*hubLog // fixed

	sessions *hubSessions // nil: none

	live atomic.Int32  // len(members), for the fast way out of Publish
	turn atomic.Uint32 // for addresses that reach one of several

	// mu guards everything below and the fields of Backplane that say so.
	mu      sync.RWMutex
	changed chan struct{} // closed and replaced when a member's reach changes
	members []*Backplane  // those alive, sorted by id
	watches []*roomWatch
}

// NewHub returns a hub without members.
func NewHub(cfg Config) *Hub {
	h := &Hub{cfg: cfg.withDefaults(), changed: make(chan struct{})}
	now := time.Now()
	for i := range max(h.cfg.Logs, 0) {
		h.logs = append(h.logs, newHubLog(h, i, now))
	}
	if h.cfg.Sessions > 0 {
		h.sessions = newHubSessions(h)
	}
	return h
}

// New returns the only member of a hub of its own, with a new boot id.
func New() *Backplane {
	b, err := NewHub(Config{}).Join(membership.NewID())
	if err != nil {
		panic(err) // the id is new and well formed
	}
	return b
}

// ErrMember is returned by Hub.Join for a boot id that is in use or malformed,
// and by the fault hooks for one that is not there.
var ErrMember = errors.New("memory: bad member id")

// Join adds a member. A boot id that died may be used again, although no real
// cluster does that.
func (h *Hub) Join(id string) (*Backplane, error) {
	if id == "" || len(id) > backplane.MaxID {
		return nil, fmt.Errorf("%w: %q", ErrMember, id)
	}
	b := &Backplane{
		hub:      h,
		id:       id,
		closed:   make(chan struct{}),
		released: make(chan struct{}),
		subs:     make(map[backplane.Address]*subscription),
		requests: make(map[waiter]struct{}),
	}
	b.queue.init(h.cfg)
	for _, l := range h.logs {
		m := &memberLog{b: b, log: l, gaveUp: make(chan struct{}, 1)}
		b.logs = append(b.logs, m)
		b.logged = append(b.logged, m)
	}
	if h.sessions != nil {
		b.sessions = &memberSessions{b: b, store: h.sessions}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	i, found := h.find(id)
	if found {
		return nil, fmt.Errorf("%w: %q is in use", ErrMember, id)
	}
	h.members = slices.Insert(h.members, i, b)
	h.live.Store(int32(len(h.members)))
	return b, nil
}

// Members returns the boot ids of the live members, sorted.
func (h *Hub) Members() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	ids := make([]string, len(h.members))
	for i, m := range h.members {
		ids[i] = m.id
	}
	return ids
}

// find returns the place of a member. The caller holds mu.
func (h *Hub) find(id string) (int, bool) {
	return slices.BinarySearchFunc(h.members, id, func(m *Backplane, id string) int {
		return strings.Compare(m.id, id)
	})
}

// lookup returns a live member, nil if there is none. The caller holds mu.
func (h *Hub) lookup(id string) *Backplane {
	if i, ok := h.find(id); ok {
		return h.members[i]
	}
	return nil
}

// remove takes a dead member out.
func (h *Hub) remove(b *Backplane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i, ok := h.find(b.id); ok && h.members[i] == b {
		h.members = slices.Delete(h.members, i, i+1)
	}
	h.live.Store(int32(len(h.members)))
	h.watches = slices.DeleteFunc(h.watches, func(w *roomWatch) bool { return w.b == b })
	h.roomsChanged(b.subs)
	clear(b.subs)
	b.outbox = nil
	for _, m := range h.members {
		for w := range m.requests {
			w.drop(b.id)
		}
	}
	h.notify()
}

// whenChanged returns a channel that is closed when a member's reach changes.
func (h *Hub) whenChanged() <-chan struct{} {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.changed
}

// notify wakes everybody who waits for members to be reachable. The caller
// holds mu for writing.
func (h *Hub) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}
