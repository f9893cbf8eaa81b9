package backplane

import (
	"context"
	"iter"
	"strings"
)

// Sessions is an optional interface of a [Backplane] that stores what another
// node needs to recover a session whose home was killed: a journal per home,
// and a record of the owner of each session that moved (V5, V6). Use
// [AsSessions] to find it. Without it, sessions survive on their node only.
//
// Both kinds of record live in one store with one lifetime, so they are lost
// together or not at all, and expire after the recovery window unless renewed.
type Sessions interface {
	// Record queues the newest state of sessions this node owns. Records of one
	// session are stored in the order of the calls, and calls that come close
	// together are stored at once (within 5 ms). It returns when the records
	// are queued; done is called once: with nil when all are stored,
	// with [ErrClosed] if they never will be. Until then the implementation
	// keeps trying, and newer states of a session replace older ones. done must
	// not block, and is called on another goroutine.
	//
	// A record of a session replaces the one before. The newest of each session
	// stays in the journal, without further calls, until the session ended or
	// this backplane closes; then it expires after the window.
	//
	// A change that was applied before it was recorded makes the record stale,
	// which is worse than none: commit first, then apply (V6).
	//
	// Errors, in which case done is not called: [ErrClosed], *[LimitError],
	// [ErrLogBusy] if too many calls wait already.
	Record(changes []SessionRecord, done func(error)) error

	// Load yields the newest record of each session in the journal of a home,
	// in no order, without those that ended. A pair with an error is the last.
	Load(ctx context.Context, home string) iter.Seq2[SessionRecord, error]

	// Owner returns the owner of a session, with Generation 0 and the home of
	// its pid if it never moved.
	Owner(ctx context.Context, pid string) (Owner, error)

	// Claim makes this node the owner, if the stored owner still is current, as
	// Owner returned it; the generation goes up by one. That its owner renewed
	// the record meanwhile changes nothing. Of several nodes that
	// claim at once exactly one succeeds. A node that got no answer may have
	// succeeded; Owner tells.
	//
	// Errors: [ErrOwned], [ErrDisconnected], [ErrOutcomeUnknown], that of ctx.
	Claim(ctx context.Context, current Owner) (Owner, error)

	// Renew extends the life of owner records that this node holds, unchanged.
	// It is due every third of the recovery window. Those that have another
	// owner by now are returned.
	Renew(ctx context.Context, owned []Owner) (lost []Owner, err error)

	// WatchOwners calls h for the owner records that exist and then for each
	// change, by whomever; calls never overlap. After a reconnect all are told
	// again, so nothing is missed for good, and a record may come twice. A node
	// that sees a higher generation for a session of its own closes that
	// session.
	WatchOwners(ctx context.Context, h SessionHandler) (Subscription, error)
}

// Journaled is a [Backplane] that may have [Sessions], as it was configured.
type Journaled interface {
	// Sessions returns nil if it has none, else always the same.
	Sessions() Sessions
}

// AsSessions returns the Sessions of b, if it has them.
func AsSessions(b Backplane) (Sessions, bool) {
	if j, ok := b.(Journaled); ok {
		s := j.Sessions()
		return s, s != nil
	}
	s, ok := b.(Sessions)
	return s, ok
}

// FirstHome returns the first home of a session, a boot id, from its private id;
// "" if that has none.
func FirstHome(pid string) string {
	return pid[:max(strings.LastIndexByte(pid, '.'), 0)]
}

// SessionHandler takes what [Sessions] WatchOwners reports.
type SessionHandler interface {
	// Owned reports an owner record.
	Owned(Owner)

	// Forgotten reports that the store lost its records, as when it was created
	// anew: sessions that wait for their clients are dropped.
	Forgotten()
}

// SessionRecord is the state of one session, as its owner journals it.
type SessionRecord struct {
	PID        string // private id of the session, "<boot id of its first home>.<random>"
	Generation uint64 // of its owner; a record counts only if it is that of the owner record
	State      []byte // in the encoding of package node, never changed once it is here; nil if the session ended
}

// Owner is who holds a session.
type Owner struct {
	PID        string
	Node       string // boot id
	Generation uint64 // moves so far
	Revision   uint64 // of the stored record, for Claim to compare; 0 if there is none
}
