package backplane

import (
	"context"
	"iter"
)

// Backplane connects one node with the others. It carries the fast class:
// every delivery happens at most once, and what is lost is counted and told to
// the receiver (R22).
//
// Promises that every implementation keeps and backplanetest checks:
//
//   - Order. What one backplane publishes in one namespace reaches another one
//     in the order of the Publish and Request calls, whatever the addresses.
//     Nothing is promised between two publishers, nor between namespaces.
//   - No duplicates. A matching subscription gets an envelope at most once.
//   - No echo. A backplane never delivers its own publications to itself; a
//     node serves its own sockets before it publishes.
//   - One at a time. Calls of one subscription's handler never overlap.
//   - Immutable. An envelope and all bytes it holds are never changed after
//     they were given to a method here, and never reused. The receiver may keep
//     them without a copy, and must not write to them either: nodes in one
//     process share them.
//
// All methods are safe for concurrent use. After Close, every one that can fail
// returns [ErrClosed].
type Backplane interface {
	// ID is the boot id of this node: how rosters, Node addresses and
	// envelopes name it. It never changes and a restarted process has another.
	ID() string

	// Publish sends env to every other subscriber of to, at most once each. It
	// never waits for a peer; ctx bounds a wait for room in the local send
	// buffer. nil means handed over, not received.
	//
	// Errors: [ErrClosed], [ErrDisconnected] (not sent), [ErrAddress],
	// *[LimitError], or that of ctx (not sent).
	Publish(ctx context.Context, to Address, env *Envelope) error

	// Subscribe calls h for what others publish to at. When it returns, the
	// publications of this process's own hub or server reach h; [Backplane]
	// Barrier says when those of other nodes do. One address can be subscribed
	// once at a time.
	//
	// A subscription of a [Room] also announces that this node has members of
	// the room, see [Occupancy]; closing it says that the last one left. An
	// implementation may let the wire-level interest linger after that, so that
	// a client which reconnects costs nothing. Subscribe and Close are cheap
	// enough to be called under the caller's lock for that room; they never
	// call h.
	//
	// h runs on a goroutine of the backplane and delays everything behind it:
	// it must not wait for a request, an append or a peer.
	//
	// Errors: [ErrClosed], [ErrAddress], [ErrSubscribed].
	Subscribe(at Address, h Handler) (Subscription, error)

	// Request sends env and yields answers as they come, several from one node
	// if it says so. Which nodes must answer depends on the address:
	//
	//   - Requests and Namespace: all of roster, boot ids of live nodes (V17).
	//     This node's own id in it is ignored: it asks itself without help.
	//     Answers of nodes that are not in the roster, having joined meanwhile,
	//     are yielded too but nobody waits for them. With nobody to wait for,
	//     env is sent and the sequence ends. Only subscribers can answer: nodes
	//     that may be in a roster subscribe these with AnyNamespace.
	//   - Node, Gateway and Worker: whoever is reached; roster is not used.
	//
	// The sequence ends when all who must answer gave their final reply, or
	// failed, or when ctx ends. If some did not finish, the last pair carries a
	// *[PartialError]; every other error comes alone, in the first pair, and
	// means that nothing was sent. Nothing is sent before the sequence is
	// ranged over, and leaving the loop early gives up the rest. A ctx
	// without a deadline is refused with [ErrNoDeadline]: every wait ends.
	//
	// Room and Socket addresses are refused with [ErrAddress], since nobody
	// knows who should answer there.
	Request(ctx context.Context, to Address, env *Envelope, roster []string) iter.Seq2[Reply, error]

	// Barrier returns nil when all subscriptions whose Subscribe call returned
	// before are in effect at every node of roster: what one of them publishes
	// from then on reaches this node (V13). It costs one exchange with each
	// node; calls that overlap may share it.
	//
	// Errors: [ErrClosed], [ErrNoDeadline], *[PartialError] naming the nodes
	// that did not confirm.
	Barrier(ctx context.Context, roster []string) error

	// NodeDown says that the membership holds a boot id for dead. Running
	// requests and barriers stop waiting for it at once. It is a hint: it
	// concerns neither deliveries nor later calls, so a node that was wrongly
	// called dead loses nothing.
	NodeDown(id string)

	// Heard reports whether the node was heard through the backplane itself
	// lately (within 3 s where nodes beat every second). A live member that is
	// not heard is left out of rosters as unreachable (V17).
	Heard(id string) bool

	// Healthy sends a canary through the backplane and back to this node, the
	// whole way a delivery takes, and returns nil when it arrived. Readiness
	// follows it, liveness never.
	//
	// Errors: [ErrClosed], [ErrDisconnected], or that of ctx.
	Healthy(ctx context.Context) error

	// Close stops receiving, lets running handlers end, sends what Publish
	// accepted, fails what waits with ErrClosed, and releases everything. It
	// returns the error of ctx if that ends first; the rest then happens in
	// the background. A handler must not call it. Later calls wait in the same
	// way and return nil.
	Close(ctx context.Context) error
}

// Handler receives deliveries; see [Backplane] Subscribe for what it may do.
type Handler func(Delivery)

// Delivery is one envelope at one subscription, or a notice that some are
// missing.
type Delivery struct {
	// To is the address it was published to, which differs from the one
	// subscribed for wildcards such as [Home]. A notice that concerns more than
	// one address has the zero Address, and goes only to the subscription of
	// this node's own [Node] address.
	To Address

	// Envelope is nil if this is a notice only: the loss was found without a
	// later envelope to tell it with.
	Envelope *Envelope

	// Gap is what was lost before Envelope, from the same publisher at the same
	// address.
	Gap Gap

	// Reply answers a request, and is nil if the publisher wants no answer. It
	// may be called from any goroutine, also after the handler returned, until
	// the call with final = true, which is due even if there is nothing to say
	// (env may be nil then). It never waits for the requester. An error means
	// that this side could not send; that nobody waits any more is none.
	Reply func(env *Envelope, final bool) error
}

// Gap says how many deliveries did not arrive.
type Gap struct {
	Lost    uint64 // known to be lost
	Unknown bool   // others may be missing that could not be counted, as after a reconnect
}

// IsZero reports whether nothing is missing.
func (g Gap) IsZero() bool { return g == Gap{} }

// Reply is one answer to a request.
type Reply struct {
	Node     string    // boot id of the node that answers; "" for a worker without one
	Envelope *Envelope // nil if the node only says that it is done
	Final    bool      // the node will not answer again
}

// Subscription is a subscription in effect.
type Subscription interface {
	// Close ends it. No call of the handler starts after Close returned; one
	// that runs may still be running, since Close does not wait for it. Later
	// calls do nothing. The address can be subscribed again at once.
	Close()
}
