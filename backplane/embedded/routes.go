package embedded

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siod-io/siod/membership"
)

const (
	// keepDead is how long the route to a member is tried after it was held for
	// dead: as long as a network may be cut in two. One that left is not.
	keepDead = 10 * time.Minute

	// maxDead bounds those, should members die and come back under other names
	// all the time. The oldest go first.
	maxDead = 256
)

// routeTable knows where the others are. It is a pure state machine: time is
// what its caller says it is.
type routeTable struct {
	self    string // boot id of this node, which needs no route
	members map[string]peer
}

// peer is where a member's route listener is.
type peer struct {
	name  string // stable name
	addr  string // "host:port"
	store bool
	until time.Time // when it is forgotten; zero while it is present
}

func newRouteTable(self string) *routeTable {
	return &routeTable{self: self, members: make(map[string]peer)}
}

// observe takes in what happened to a member at a time.
func (t *routeTable) observe(ev membership.Event, now time.Time) {
	m := ev.Member
	if m.ID == t.self {
		return
	}
	if ev.Kind == membership.Gone {
		p, ok := t.members[m.ID]
		if !ok {
			return
		}
		if m.State == membership.Left || t.replaced(m) {
			delete(t.members, m.ID)
			return
		}
		p.until = now.Add(keepDead)
		t.members[m.ID] = p
		t.trim()
		return
	}
	p := peer{name: m.Name, addr: m.Meta[MetaRoute], store: m.Meta[MetaStore] == "1"}
	if !validRoute(p.addr) {
		delete(t.members, m.ID)
		return
	}
	t.members[m.ID] = p
	// What ran under the same name before is known to be over.
	maps.DeleteFunc(t.members, func(id string, o peer) bool {
		return id != m.ID && !o.until.IsZero() && (o.addr == p.addr || o.name != "" && o.name == p.name)
	})
}

// replaced reports whether a later run of a member is present.
func (t *routeTable) replaced(m membership.Member) bool {
	for id, p := range t.members {
		if id != m.ID && p.until.IsZero() && m.Name != "" && p.name == m.Name {
			return true
		}
	}
	return false
}

// assume takes in an address from an earlier run, to be tried until it is known
// to be wrong.
func (t *routeTable) assume(addr string, now time.Time) {
	if validRoute(addr) && !slices.Contains(t.routes(), addr) {
		t.members["route "+addr] = peer{addr: addr, store: true, until: now.Add(keepDead)}
	}
}

// sync compares with those present at a time: a watch tells nothing of who was
// gone before it began.
func (t *routeTable) sync(present []membership.Member, now time.Time) {
	for id, p := range t.members {
		switch here := slices.ContainsFunc(present, func(m membership.Member) bool { return m.ID == id }); {
		case here && !p.until.IsZero(): // it went and came between two looks
			p.until = time.Time{}
		case !here && p.until.IsZero():
			p.until = now.Add(keepDead)
		default:
			continue
		}
		t.members[id] = p
	}
	t.trim()
}

// expire forgets whose time is over, and returns when the next one's is, or the
// zero time.
func (t *routeTable) expire(now time.Time) time.Time {
	var next time.Time
	for id, p := range t.members {
		switch {
		case p.until.IsZero():
		case !p.until.After(now):
			delete(t.members, id)
		case next.IsZero() || p.until.Before(next):
			next = p.until
		}
	}
	return next
}

// trim forgets the oldest of too many dead ones.
func (t *routeTable) trim() {
	var dead []string
	for id, p := range t.members {
		if !p.until.IsZero() {
			dead = append(dead, id)
		}
	}
	if len(dead) <= maxDead {
		return
	}
	slices.SortFunc(dead, func(a, b string) int {
		return cmp.Or(t.members[a].until.Compare(t.members[b].until), strings.Compare(a, b))
	})
	for _, id := range dead[:len(dead)-maxDead] {
		delete(t.members, id)
	}
}

// routes returns the addresses of all, sorted, each once.
func (t *routeTable) routes() []string { return t.addrs(func(peer) bool { return true }) }

// stores returns those of the store nodes.
func (t *routeTable) stores() []string { return t.addrs(func(p peer) bool { return p.store }) }

func (t *routeTable) addrs(of func(peer) bool) []string {
	var all []string
	for _, p := range t.members {
		if of(p) {
			all = append(all, p.addr)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// validRoute reports whether what a member says is an address that a
// configuration can hold: one of IP, or a host name.
func validRoute(addr string) bool {
	host, port, err := splitListen(addr)
	if err != nil || port == 0 || addr != net.JoinHostPort(host, strconv.Itoa(port)) {
		return false
	}
	if net.ParseIP(host) != nil {
		return true
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return host != "" && len(host) <= 253
}

// withAll returns sorted addresses with more of them, each once.
func withAll(addrs []string, more ...string) []string {
	all := slices.Concat(addrs, more)
	slices.Sort(all)
	return slices.Compact(all)
}

// without returns addresses without one.
func without(addrs []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return a == one })
}
