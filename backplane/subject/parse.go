package subject

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/siod-io/siod/backplane"
)

// Class is what a subject is for.
type Class uint8

// The classes. Only the first eight carry envelopes.
const (
	_         Class = iota
	Fast            // to a room, a socket or a namespace
	Ingest          // the same, to a log
	Delivery        // the same, from a log
	Requests        // to every node
	Node            // to one node
	Gateway         // to any node
	Worker          // to any worker
	PlainEmit       // in plain JSON
	Occupancy
	Beat
	Digest
	Canary
	Journal
	Owner
	Owned // the same, from the store
)

var classWords = [...]string{"", "f", "i", "d", "q", "n", "g", "h", "e", "occ", "beat", "digest", "canary", "j", "own", "owned"}

var classNames = [...]string{
	"none", "fast", "ingest", "delivery", "requests", "node", "gateway", "worker", "plain_emit",
	"occupancy", "beat", "digest", "canary", "journal", "owner", "owned",
}

// String returns the snake-case name of the class.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Parsed is a subject taken apart.
type Parsed struct {
	Class     Class
	Scope     backplane.Scope // of the classes that belong to an address, else zero, as for a record about a log
	Log       int             // of Ingest and Delivery
	Namespace Token           // "" if the class has none
	Shard     string          // of a room
	Home      Token           // of a socket
	Name      Token           // room, socket, event, node or pid; of a Journal its key
	Node      Token           // of a Journal
}

// Parse takes a subject on which a message arrived apart. It allocates nothing
// for one that this package made.
//
// Errors: [ErrUnknown], wrapped, for subjects of other clusters, with
// wildcards, and all that no method of Space returns.
func (s Space) Parse(subject string) (Parsed, error) {
	p, ok := s.parse(subject)
	if !ok {
		return Parsed{}, fmt.Errorf("%w: %.100q", ErrUnknown, subject)
	}
	return p, nil
}

// maxTokens is the most that a subject has behind the cluster:
// i.<log>.<ns>.s.<home>.<sid>.
const maxTokens = 6

func (s Space) parse(subject string) (p Parsed, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.prefix)
	if !ok || s.prefix == "" {
		return p, false
	}
	var buf [maxTokens]string
	n := 0
	for more := true; more; n++ {
		if n == maxTokens {
			return p, false
		}
		buf[n], rest, more = strings.Cut(rest, ".")
	}
	tokens := buf[1:n]
	for i, w := range classWords {
		if i > 0 && w == buf[0] {
			p.Class = Class(i)
		}
	}
	switch p.Class {
	case Fast:
		return p, p.sockets(tokens)
	case Ingest, Delivery:
		if len(tokens) < 2 || !p.number(tokens[0]) {
			return p, false
		}
		if len(tokens) == 2 && tokens[1] == wordControl {
			return p, true
		}
		return p, p.sockets(tokens[1:])
	case Requests:
		p.Scope = backplane.ScopeRequests
		return p, p.tokens(tokens, &p.Namespace)
	case Node:
		p.Scope = backplane.ScopeNode
		return p, p.tokens(tokens, &p.Name)
	case Gateway:
		p.Scope = backplane.ScopeGateway
		return p, p.tokens(tokens, &p.Namespace)
	case Worker:
		p.Scope = backplane.ScopeWorker
		return p, p.tokens(tokens, &p.Namespace, &p.Name)
	case PlainEmit, Occupancy:
		return p, p.tokens(tokens, &p.Namespace)
	case Beat, Digest, Canary, Owner, Owned:
		return p, p.tokens(tokens, &p.Name)
	case Journal:
		return p, p.tokens(tokens, &p.Node, &p.Name)
	}
	return p, false
}

// sockets reads what appendSockets wrote.
func (p *Parsed) sockets(tokens []string) bool {
	switch n := len(tokens); {
	case n == 2 && tokens[1] == wordAll:
		p.Scope = backplane.ScopeNamespace
		return p.tokens(tokens[:1], &p.Namespace)
	case n == 3 && isShard(tokens[1]):
		p.Scope, p.Shard = backplane.ScopeRoom, tokens[1]
		return p.token(tokens[0], &p.Namespace) && p.token(tokens[2], &p.Name)
	case n == 4 && tokens[1] == wordSocket:
		p.Scope = backplane.ScopeSocket
		return p.token(tokens[0], &p.Namespace) && p.tokens(tokens[2:], &p.Home, &p.Name)
	}
	return false
}

func (p *Parsed) number(digits string) bool {
	n, err := strconv.Atoi(digits)
	p.Log = n
	return err == nil && n >= 0 && (digits == "0" || digits[0] != '0' && digits[0] != '+')
}

func (p *Parsed) tokens(from []string, to ...*Token) bool {
	if len(from) != len(to) {
		return false
	}
	for i, t := range from {
		if !p.token(t, to[i]) {
			return false
		}
	}
	return true
}

func (p *Parsed) token(from string, to *Token) bool {
	*to = Token(from)
	return to.valid()
}

// Address returns the address that the subject stands for. Namespace and name
// are what the sender says they are, and are used where the subject has only a
// hash of them, after a comparison; elsewhere they are not looked at and may be
// "".
//
// It says where a message was published. What the envelope in it claims is
// another thing: a sender that is limited to one namespace may claim any, so
// the receiver compares [backplane.Envelope] Namespace with that of the
// address.
//
// Errors: [ErrForged], wrapped, if a hash is not that of the name, or shard or
// home are not those of the room or socket; [ErrUnknown] if the class
// has no addresses.
func (p Parsed) Address(namespace, name string) (backplane.Address, error) {
	if p.Scope == 0 {
		return backplane.Address{}, fmt.Errorf("%w: no address in one of class %s", ErrUnknown, p.Class)
	}
	a := backplane.Address{Scope: p.Scope}
	var ok bool
	if p.Namespace != "" {
		if a.Namespace, ok = p.Namespace.resolve(namespace); !ok {
			return backplane.Address{}, fmt.Errorf("%w: namespace %.40q", ErrForged, namespace)
		}
	}
	if p.Name != "" {
		if a.Name, ok = p.Name.resolve(name); !ok {
			return backplane.Address{}, fmt.Errorf("%w: %s %.40q", ErrForged, p.Scope, name)
		}
	}
	switch {
	case p.Scope == backplane.ScopeRoom && !isShardOf(p.Shard, a.Name):
		return backplane.Address{}, fmt.Errorf("%w: shard %q", ErrForged, p.Shard)
	case p.Scope == backplane.ScopeSocket && !p.Home.Is(a.Home()):
		return backplane.Address{}, fmt.Errorf("%w: home %q", ErrForged, p.Home)
	}
	if err := a.CheckPublish(); err != nil {
		return backplane.Address{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return a, nil
}

// resolve returns the name of a token, which for a hash is the one given.
func (t Token) resolve(name string) (string, bool) {
	if t.Hashed() {
		return name, t.Is(name)
	}
	return t.Decode()
}

func isShardOf(shard, room string) bool {
	var buf [2]byte
	return string(appendShard(buf[:0], room)) == shard
}
