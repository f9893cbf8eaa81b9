package static

import (
	"cmp"
	"context"
	"maps"
	"sync"

	"github.com/siod-io/siod/membership"
)

// Static is one node's membership of a group that lives in this process. It
// implements membership.Membership.
type Static struct {
	group *Group
	id    string
	table membership.Table // what this node knows of the group
}

var _ membership.Membership = (*Static)(nil)

// New returns the membership of self among a fixed list of others. An empty ID
// of self is drawn, and empty tokens are made from IDs.
//
// Errors: membership.ErrDuplicate, ErrMetaTooLarge.
func New(self membership.Member, others ...membership.Member) (*Static, error) {
	g := NewGroup()
	s, err := g.Join(self)
	if err != nil {
		return nil, err
	}
	for _, m := range others {
		if _, err := g.Join(m); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Self implements membership.Membership.
func (s *Static) Self() membership.Member {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return s.group.all[s.id]
}

// Members implements membership.Membership.
func (s *Static) Members() []membership.Member { return s.table.Members() }

// Lookup implements membership.Membership.
func (s *Static) Lookup(id string) (membership.Member, bool) { return s.table.Lookup(id) }

// ByToken implements membership.Membership.
func (s *Static) ByToken(token string) (membership.Member, bool) { return s.table.ByToken(token) }

// Watch implements membership.Membership.
func (s *Static) Watch(ctx context.Context) <-chan membership.Event { return s.table.Watch(ctx) }

// SetMeta implements membership.Membership.
func (s *Static) SetMeta(meta map[string]string) error {
	if err := membership.CheckMeta(meta); err != nil {
		return err
	}
	meta = maps.Clone(meta)
	return s.group.update(s.id, func(m *membership.Member) { m.Meta = meta })
}

// SetLeaving implements membership.Membership.
func (s *Static) SetLeaving() error {
	return s.group.update(s.id, func(m *membership.Member) { m.State = membership.Leaving })
}

// Leave implements membership.Membership. The others know when it returns.
func (s *Static) Leave(context.Context) error {
	s.group.end(s.id, membership.Left)
	return nil
}

// Group is a set of members that know each other.
type Group struct {
	mu    sync.Mutex
	all   map[string]membership.Member // everybody who ever joined
	views map[string]*Static           // those present
}

// NewGroup returns an empty group.
func NewGroup() *Group {
	return &Group{all: make(map[string]membership.Member), views: make(map[string]*Static)}
}

// Join adds a member. An empty ID is drawn, an empty token is made from the ID.
// A later boot with the Name of a present member ends that one.
//
// Errors: membership.ErrDuplicate, ErrMetaTooLarge.
func (g *Group) Join(m membership.Member) (*Static, error) {
	if err := membership.CheckMeta(m.Meta); err != nil {
		return nil, err
	}
	m.ID = cmp.Or(m.ID, membership.NewID())
	m.Token = cmp.Or(m.Token, membership.Token(m.ID))
	m.State = membership.Alive
	m.Meta = maps.Clone(m.Meta)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.all[m.ID]; ok {
		return nil, membership.ErrDuplicate
	}
	s := &Static{group: g, id: m.ID}
	for id := range g.views {
		if err := s.table.Put(g.all[id]); err != nil {
			return nil, err
		}
	}
	if err := s.table.Put(m); err != nil {
		return nil, err
	}
	for id, p := range g.all { // whom this boot replaces
		if _, ok := s.Lookup(id); g.views[id] != nil && !ok {
			p.State = membership.Dead
			g.drop(p)
		}
	}
	g.all[m.ID], g.views[m.ID] = m, s
	g.tell(m)
	return s, nil
}

// Kill ends a member without a word from it. Its own watches end as well, and
// its handle does nothing any more.
func (g *Group) Kill(id string) { g.end(id, membership.Dead) }

func (g *Group) update(id string, change func(*membership.Member)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.views[id] == nil {
		return membership.ErrLeft
	}
	m := g.all[id]
	change(&m)
	g.all[id] = m
	g.tell(m)
	return nil
}

// tell has everybody know the new state of a member. The caller holds mu.
func (g *Group) tell(m membership.Member) {
	for _, s := range g.views {
		_ = s.table.Put(m) // all views agreed when m joined
	}
}

func (g *Group) end(id string, why membership.State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.views[id] == nil {
		return
	}
	m := g.all[id]
	m.State = why
	g.drop(m)
}

// drop takes a member out. The caller holds mu.
func (g *Group) drop(m membership.Member) {
	s := g.views[m.ID]
	g.all[m.ID] = m
	delete(g.views, m.ID)
	for _, o := range g.views {
		o.table.Remove(m.ID, m.State)
	}
	s.table.Remove(m.ID, m.State)
	s.table.Close()
}
