package subject

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/siod-io/siod/backplane"
)

// Words of subjects that stand where a token of another form could.
const (
	wordAll     = "all"
	wordSocket  = "s"
	wordControl = "ctl"
)

// Fast returns the subject on which envelopes to an address are published, in
// one allocation.
//
// Errors: that of [backplane.Address.CheckPublish].
func (s Space) Fast(to backplane.Address) (string, error) {
	if err := to.CheckPublish(); err != nil {
		return "", err
	}
	dst := append(make([]byte, 0, MaxLen), s.prefix...)
	switch to.Scope {
	case backplane.ScopeRequests:
		dst = appendToken(append(dst, "q."...), to.Namespace)
	case backplane.ScopeNode:
		dst = appendToken(append(dst, "n."...), to.Name)
	case backplane.ScopeGateway:
		dst = appendToken(append(dst, "g."...), to.Namespace)
	case backplane.ScopeWorker:
		dst = appendToken(append(dst, "h."...), to.Namespace)
		dst = appendToken(append(dst, '.'), to.Name)
	default:
		dst = appendSockets(append(dst, "f."...), to)
	}
	return string(dst), nil
}

// Subscribe returns the subject that gets what is published to the addresses at
// matches, and the queue group to subscribe it with, "" for none.
//
// NATS delivers once for each subscription that matches, so a socket that is
// subscribed exactly and by its home arrives twice, as does a room that is
// subscribed exactly and through [Space.Shard] or [Space.Rooms].
//
// Errors: that of [backplane.Address.CheckSubscribe], except that any node may
// be asked for.
func (s Space) Subscribe(at backplane.Address) (subject, queue string, err error) {
	if err := at.CheckSubscribe(at.Name); err != nil {
		return "", "", err
	}
	if at.One() && at.Scope != backplane.ScopeNode {
		queue = Queue
	}
	switch {
	case at.Scope == backplane.ScopeHome:
		return s.prefix + join("f", "*", wordSocket, string(Encode(at.Name)), "*"), "", nil
	case at.Namespace != backplane.AnyNamespace || at.Scope == backplane.ScopeNode:
		subject, err = s.Fast(at)
	case at.Scope == backplane.ScopeNamespace:
		subject = s.prefix + join("f", "*", wordAll)
	case at.Scope == backplane.ScopeRequests:
		subject = s.prefix + "q.*"
	default: // no other may be subscribed everywhere
		subject = s.prefix + "g.*"
	}
	return subject, queue, err
}

// Ingest returns the subject on which a durable envelope for the sockets of a
// room, a socket or a namespace is published to its log. A log is numbered from
// 0.
//
// Errors: [backplane.ErrAddress], wrapped.
func (s Space) Ingest(log int, to backplane.Address) (string, error) {
	return s.durable('i', log, to)
}

// Delivery returns the subject on which a log gives out again what was
// published to it on the one of [Space.Ingest].
func (s Space) Delivery(log int, to backplane.Address) (string, error) {
	return s.durable('d', log, to)
}

func (s Space) durable(class byte, log int, to backplane.Address) (string, error) {
	err := to.CheckPublish()
	if err == nil && to.Scope != backplane.ScopeRoom && to.Scope != backplane.ScopeSocket && to.Scope != backplane.ScopeNamespace || log < 0 {
		err = fmt.Errorf("%w: publish to log %d for %s", backplane.ErrAddress, log, to)
	}
	if err != nil {
		return "", err
	}
	dst := append(make([]byte, 0, MaxLen), s.prefix...)
	dst = append(dst, class, '.')
	dst = append(strconv.AppendInt(dst, int64(log), 10), '.')
	return string(appendSockets(dst, to)), nil
}

// appendSockets appends the tokens of a room, a socket or a namespace.
func appendSockets(dst []byte, to backplane.Address) []byte {
	dst = append(appendToken(dst, to.Namespace), '.')
	switch to.Scope {
	case backplane.ScopeRoom:
		dst = append(appendShard(dst, to.Name), '.')
		return appendToken(dst, to.Name)
	case backplane.ScopeSocket:
		dst = append(append(dst, wordSocket...), '.')
		dst = append(appendToken(dst, to.Home()), '.')
		return appendToken(dst, to.Name)
	}
	return append(dst, wordAll...)
}

// Shard matches all rooms of a namespace that have the shard of room. A node
// with too many rooms subscribes it in their place; it does not match sockets.
func (s Space) Shard(namespace, room string) string {
	return s.prefix + join("f", string(Encode(namespace)), ShardOf(room), "*")
}

// Rooms matches all rooms of a namespace, and neither its sockets nor the
// namespace itself.
func (s Space) Rooms(namespace string) string {
	return s.prefix + join("f", string(Encode(namespace)), "*", "*")
}

// FastIn matches everything fast in a namespace, and IngestIn everything
// durable that is published to any log for it. They are for permissions (R20).
func (s Space) FastIn(namespace string) string {
	return s.prefix + join("f", wild(namespace), ">")
}

// IngestIn is explained at [Space.FastIn].
func (s Space) IngestIn(namespace string) string {
	return s.prefix + join("i", "*", wild(namespace), ">")
}

// IngestControl is where nodes publish records about a log itself. No
// permission for namespaces covers it.
func (s Space) IngestControl(log int) string {
	return s.prefix + join("i", strconv.Itoa(log), wordControl)
}

// IngestLog matches everything that is published to one log: what its stream
// stores, and republishes to the subjects of [Space.Feed].
func (s Space) IngestLog(log int) string { return s.prefix + join("i", strconv.Itoa(log), ">") }

// IngestAll matches everything that is published to all logs.
func (s Space) IngestAll() string { return s.prefix + "i.>" }

// Feed matches everything that comes from one log, in its order.
func (s Space) Feed(log int) string { return s.prefix + join("d", strconv.Itoa(log), ">") }

// LogNamespace returns the token of the namespace for which an entry of a log was
// published, by its subject of [Space.Ingest] or [Space.Delivery], and control
// for one of [Space.IngestControl]. It looks at no more of the subject, and
// allocates nothing: it is for each entry.
func (s Space) LogNamespace(subject string) (namespace Token, control, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.prefix)
	if !ok || len(rest) < 2 || rest[1] != '.' || rest[0] != 'i' && rest[0] != 'd' {
		return "", false, false
	}
	_, rest, ok = strings.Cut(rest[2:], ".") // the log
	if !ok {
		return "", false, false
	}
	token, _, more := strings.Cut(rest, ".")
	if !more {
		return "", token == wordControl, token == wordControl
	}
	return Token(token), false, true
}
