package membership

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrLeft: this node left the cluster, or its membership was closed.
	ErrLeft = errors.New("membership: left")

	// ErrMetaTooLarge: keys and values of Meta are over [MaxMeta] together.
	ErrMetaTooLarge = errors.New("membership: meta too large")

	// ErrDuplicate: a member with this id or token is present already.
	ErrDuplicate = errors.New("membership: duplicate member")
)

// MaxMeta bounds the keys and values of Member.Meta together, in bytes. Gossip
// carries them in every exchange.
const MaxMeta = 256

// Membership knows who is in the cluster. It is the authority on whom to ask
// and whom to stop waiting for, and a hint for everything else: delivery never
// depends on it.
//
// All methods are safe for concurrent use and, except Leave, do not block.
type Membership interface {
	// Self is this node as the others see it.
	Self() Member

	// Members returns the present members, Self included until it left, sorted
	// by ID. Present are those that are alive or leaving. The slice is
	// shared: it and the maps in it must not be changed.
	Members() []Member

	// Lookup returns the present member with a boot id.
	Lookup(id string) (Member, bool)

	// ByToken returns the present member whose token begins its socket ids.
	ByToken(token string) (Member, bool)

	// Watch reports the members that are present when it is called, Self included,
	// as Joined, and from then on every change, until ctx ends or this node left; then the channel is closed.
	// Events of one member come in order; changes that follow each other faster
	// than they are received are folded into the latest, so a slow receiver
	// never delays anybody, and nothing is kept beyond one event per member. A
	// member that came and went unseen is not reported; one that was reported
	// as present is always reported when it is gone, with the last known reason.
	Watch(ctx context.Context) <-chan Event

	// SetMeta replaces Self().Meta and tells the others. The map is copied.
	//
	// Errors: [ErrMetaTooLarge], [ErrLeft].
	SetMeta(meta map[string]string) error

	// SetLeaving tells the others that this node drains: it serves what it has
	// and takes nothing new. It stays a member.
	//
	// Errors: [ErrLeft].
	SetLeaving() error

	// Leave tells the others that this node goes for good, waits until some
	// know or ctx ends, and ends all watches. Later calls return nil.
	Leave(ctx context.Context) error
}

// TokenLen is the length of Member.Token in bytes.
const TokenLen = 6

// Member is one node. It is a value; Meta is shared and must not be changed.
type Member struct {
	// ID is the boot id: it names one run of one process and is never used
	// again. At most 64 bytes of printable ASCII without spaces.
	ID string

	// Token is how socket ids name the node: their first 6 characters. [Token]
	// makes it from ID.
	Token string

	// Name is the stable name of the node, such as its host name, the same after
	// a restart; empty if it has none. Of two members with one name the one that
	// was started later is real, and the other ends (V17).
	Name string

	// Started is when this run began, by the node's own clock.
	Started time.Time

	// Addr is where other nodes reach its internal listener, "host:port". Empty
	// if it has none.
	Addr string

	// Version is that of its software.
	Version string

	State State

	// Meta is what the application says about the node, at most [MaxMeta] bytes.
	Meta map[string]string
}

// State of a member.
type State uint8

// The states. A member goes up this list and never back, except that one held
// for dead may show that it is alive.
const (
	Alive   State = iota // serving
	Leaving              // serving what it has, on its way out
	Left                 // gone, and said so
	Dead                 // gone without a word
)

var stateNames = [...]string{"alive", "leaving", "left", "dead"}

// String returns the lower-case name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Present reports whether a member in this state is part of the cluster.
func (s State) Present() bool { return s == Alive || s == Leaving }

// EventKind says what happened to a member.
type EventKind uint8

// The kinds of [Event].
const (
	_       EventKind = iota
	Joined            // it is present, and was not reported so before
	Updated           // it is present, and something about it changed
	Gone              // it is not present any more: Member.State is Left or Dead
)

var eventNames = [...]string{"none", "joined", "updated", "gone"}

// String returns the lower-case name of the kind.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is one change of one member. Member is its latest state, with the last
// known fields if it is gone.
type Event struct {
	Kind   EventKind
	Member Member
}
