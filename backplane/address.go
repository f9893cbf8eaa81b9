package backplane

import (
	"fmt"
	"strings"
)

// Scope is the kind of an [Address].
type Scope uint8

// The scopes, each with a constructor of the same name.
const (
	_ Scope = iota
	ScopeRoom
	ScopeSocket
	ScopeHome
	ScopeNamespace
	ScopeRequests
	ScopeNode
	ScopeGateway
	ScopeWorker
)

var scopeNames = [...]string{"none", "room", "socket", "home", "namespace", "requests", "node", "gateway", "worker"}

// String returns the lower-case name of the scope.
func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return fmt.Sprintf("scope(%d)", uint8(s))
}

// AnyNamespace in place of a namespace subscribes the addresses of all
// namespaces; see the constructors that allow it. No real namespace is empty.
const AnyNamespace = ""

// HomeLen is the length in bytes of the token with which a socket id begins
// and which names the node that made it (R2).
const HomeLen = 6

// Address is where an envelope is published or subscribed. It is a small value
// that can be compared and used as a map key. Names are the user's own, in any
// bytes: an implementation encodes them, and they are never part of a subject
// as they are.
type Address struct {
	Scope     Scope
	Namespace string
	Name      string
}

// Room is one room: where a broadcast to exactly one room goes. Only nodes with
// members subscribe it.
func Room(namespace, room string) Address { return Address{ScopeRoom, namespace, room} }

// Socket is the room of one socket id. Its home node is subscribed through
// [Home]; others, with guests in that room or to which the session moved,
// subscribe it exactly (R21, V12).
func Socket(namespace, sid string) Address { return Address{ScopeSocket, namespace, sid} }

// Home matches the Socket addresses, in every namespace, of the ids that begin
// with token. It can only be subscribed. One subscription per node replaces one
// per socket.
func Home(token string) Address { return Address{ScopeHome, AnyNamespace, token} }

// Namespace is every node with a socket in the namespace: where each broadcast
// goes that is not to exactly one room, once, for the receiver to select by
// [Envelope] Target. It can be subscribed with AnyNamespace.
func Namespace(namespace string) Address { return Address{ScopeNamespace, namespace, ""} }

// Requests is every node: where operations on the sockets of a namespace go,
// and events between servers. A node answers for namespaces it does not have,
// too, and subscribes with AnyNamespace.
func Requests(namespace string) Address { return Address{ScopeRequests, namespace, ""} }

// Node is the one node with this boot id. A node subscribes its own only.
func Node(id string) Address { return Address{ScopeNode, "", id} }

// Gateway is any one node, which runs an operation for a process that is no
// member of the cluster. It can be subscribed with AnyNamespace. A member asks
// the others itself: its own questions there may stay without an answer.
func Gateway(namespace string) Address { return Address{ScopeGateway, namespace, ""} }

// Worker is any one of the workers that handle an event of a namespace.
func Worker(namespace, event string) Address { return Address{ScopeWorker, namespace, event} }

// Home returns the token of the home node of a [Socket] address: the first
// HomeLen bytes after the last '#', since ids of Engine.IO 3 look like
// "/chat#<id>" (R2). It returns "" if the name is too short to have one.
func (a Address) Home() string { return HomeOf(a.Name) }

// HomeOf returns the token with which a socket id begins, "" if it has none.
func HomeOf(sid string) string {
	sid = sid[strings.LastIndexByte(sid, '#')+1:]
	if len(sid) < HomeLen {
		return ""
	}
	return sid[:HomeLen]
}

// One reports whether an envelope reaches at most one subscriber.
func (a Address) One() bool {
	return a.Scope == ScopeNode || a.Scope == ScopeGateway || a.Scope == ScopeWorker
}

// Matches reports whether a subscription at a gets what is published to b.
func (a Address) Matches(b Address) bool {
	if a == b {
		return true
	}
	switch a.Scope {
	case ScopeHome:
		return b.Scope == ScopeSocket && a.Name == b.Home()
	case ScopeNamespace, ScopeRequests, ScopeGateway:
		return b.Scope == a.Scope && a.Namespace == AnyNamespace
	}
	return false
}

// String returns a form for logs, such as `room("/chat", "lobby")`.
func (a Address) String() string {
	switch a.Scope {
	case ScopeHome, ScopeNode:
		return fmt.Sprintf("%s(%q)", a.Scope, a.Name)
	case ScopeNamespace, ScopeRequests, ScopeGateway:
		return fmt.Sprintf("%s(%q)", a.Scope, a.Namespace)
	}
	return fmt.Sprintf("%s(%q, %q)", a.Scope, a.Namespace, a.Name)
}

// CheckPublish returns an error wrapping [ErrAddress] if nothing can be
// published to a.
func (a Address) CheckPublish() error {
	if !a.valid() || a.Scope == ScopeHome || a.Scope != ScopeNode && a.Namespace == AnyNamespace {
		return fmt.Errorf("%w: publish to %s", ErrAddress, a)
	}
	return nil
}

// CheckSubscribe returns an error wrapping [ErrAddress] if the node with the
// boot id self cannot subscribe a.
func (a Address) CheckSubscribe(self string) error {
	wild := a.Scope == ScopeHome || a.Scope == ScopeNode ||
		a.Scope == ScopeNamespace || a.Scope == ScopeRequests || a.Scope == ScopeGateway
	if !a.valid() || a.Namespace == AnyNamespace && !wild || a.Scope == ScopeNode && a.Name != self {
		return fmt.Errorf("%w: subscribe %s", ErrAddress, a)
	}
	return nil
}

// CheckRequest is [Address.CheckPublish] for Request.
func (a Address) CheckRequest() error {
	if a.Scope == ScopeRoom || a.Scope == ScopeSocket {
		return fmt.Errorf("%w: request to %s", ErrAddress, a)
	}
	return a.CheckPublish()
}

// valid reports whether the scope is known and the name is there if it needs
// one.
func (a Address) valid() bool {
	switch a.Scope {
	case ScopeNamespace, ScopeRequests, ScopeGateway:
		return a.Name == ""
	case ScopeRoom:
		return true // the empty string is a room like any other
	case ScopeSocket, ScopeNode, ScopeWorker:
		return a.Name != ""
	case ScopeHome:
		return len(a.Name) == HomeLen && a.Namespace == AnyNamespace
	}
	return false
}
