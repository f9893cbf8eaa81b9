package node

import (
	"sync/atomic"

	"github.com/siod-io/siod/transport"
)

type serverStats struct {
	connects, disconnects, connectErrors, connectTimeouts atomic.Uint64
	events, unhandled, handlerErrors, panics              atomic.Uint64
	broadcasts, malformed, unknownAcks                    atomic.Uint64
	mailboxOverflows, pauses                              atomic.Uint64
	namespacesRefused, subscriptionsFailed                atomic.Uint64
	lost, unknownLoss, unknownEnvelopes, forgedEnvelopes  atomic.Uint64
	serverEventsDropped                                   atomic.Uint64
	recovered, sessionsExpired, replaysLost               atomic.Uint64
	notJournaled, fenced, degraded, heldBack              atomic.Uint64
	notRecovered                                          [notRecoveredBy]atomic.Uint64
}

// Stats is a snapshot of a server's counters, all since it was made.
type Stats struct {
	Transport           transport.Stats
	Sockets             map[string]int // by namespace, now
	Connects            uint64
	Disconnects         uint64
	ConnectErrors       uint64 // refused connections to namespaces
	ConnectTimeouts     uint64 // connections closed for being in no namespace
	Events              uint64 // received
	Unhandled           uint64 // events without a handler
	HandlerErrors       uint64
	Panics              uint64 // of handlers of all kinds
	Broadcasts          uint64 // made on this server and not durable
	Malformed           uint64 // connections closed for a broken packet
	UnknownAcks         uint64 // late or made-up acknowledgements
	MailboxOverflows    uint64 // connections closed for more events than may wait
	Pauses              uint64 // times that reading paused for a full mailbox
	NamespacesRefused   uint64 // by MaxDynamic
	SubscriptionsFailed uint64 // rooms that other servers' fast broadcasts do not reach
	BackplaneLost       uint64 // deliveries of other nodes known to be lost
	BackplaneUnknown    uint64 // times that some may have been lost
	EnvelopesUnknown    uint64 // of other nodes, of a kind that this version does not know
	EnvelopesForged     uint64 // operations where only events belong, events of another namespace: of no node
	ServerEventsDropped uint64 // events of other nodes for which too many waited
	Recovered           uint64
	NotRecovered        map[string]uint64 // clients that asked for recovery and were let in anew, by reason
	ReplaysLost         uint64            // connections closed since what the client missed had gone meanwhile
	SessionsExpired     uint64            // whose clients did not come back in time
	Sessions            int               // that clients can continue here, now
	SessionsWaiting     int               // of these, whose clients are away
	NotJournaled        uint64            // changes of sessions made before they could be stored
	Fenced              uint64            // sessions that another server took while it could not reach this one
	Degraded            uint64            // durable emits that were delivered and not stored
	RingEntries         int               // of the log, kept for clients that recover, now
	RingBytes           int
}

// Stats returns the counters.
func (srv *Server) Stats() Stats {
	s := &srv.stats
	st := Stats{
		Transport: srv.engine.Stats(), Sockets: make(map[string]int),
		Connects: s.connects.Load(), Disconnects: s.disconnects.Load(), ConnectErrors: s.connectErrors.Load(),
		ConnectTimeouts: s.connectTimeouts.Load(), Events: s.events.Load(), Unhandled: s.unhandled.Load(),
		HandlerErrors: s.handlerErrors.Load(), Panics: s.panics.Load(), Broadcasts: s.broadcasts.Load(),
		Malformed: s.malformed.Load(), UnknownAcks: s.unknownAcks.Load(), MailboxOverflows: s.mailboxOverflows.Load(),
		Pauses: s.pauses.Load(), NamespacesRefused: s.namespacesRefused.Load(),
		SubscriptionsFailed: s.subscriptionsFailed.Load(), BackplaneLost: s.lost.Load(), BackplaneUnknown: s.unknownLoss.Load(),
		EnvelopesUnknown: s.unknownEnvelopes.Load(), EnvelopesForged: s.forgedEnvelopes.Load(), ServerEventsDropped: s.serverEventsDropped.Load(),
		Recovered: s.recovered.Load(), ReplaysLost: s.replaysLost.Load(), SessionsExpired: s.sessionsExpired.Load(),
		NotJournaled: s.notJournaled.Load(), Fenced: s.fenced.Load(), Degraded: s.degraded.Load(),
	}
	srv.recovery.stats(&st)
	for _, ns := range srv.Namespaces() {
		st.Sockets[ns.name] = ns.Len()
	}
	return st
}
