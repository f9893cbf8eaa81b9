package node

import (
	"sync/atomic"

	"github.com/siod-io/siod/transport"
)

type serverStats struct {
	connects, disconnects, connectErrors, connectTimeouts atomic.Uint64
	events, unhandled, handlerErrors, panics              atomic.Uint64
	broadcasts, malformed, unknownAcks, mailboxOverflows  atomic.Uint64
	namespacesRefused, lost, unknownLoss                  atomic.Uint64
	recovered, notRecovered                               atomic.Uint64
}

// Stats is a snapshot of a server's counters, all since it was made.
type Stats struct {
	Transport         transport.Stats
	Sockets           map[string]int // by namespace, now
	Connects          uint64
	Disconnects       uint64
	ConnectErrors     uint64 // refused connections to namespaces
	ConnectTimeouts   uint64 // connections that entered no namespace
	Events            uint64 // received
	Unhandled         uint64 // events without a handler
	HandlerErrors     uint64
	Panics            uint64
	Broadcasts        uint64 // made on this server and not durable
	Malformed         uint64 // connections closed for a broken packet
	UnknownAcks       uint64 // late or made-up acknowledgements
	MailboxOverflows  uint64 // connections closed for more events than may wait
	NamespacesRefused uint64 // by MaxDynamic
	BackplaneLost     uint64 // deliveries of other nodes known to be lost
	BackplaneUnknown  uint64 // times that some may have been lost
	Recovered         uint64
	NotRecovered      uint64 // clients that asked for recovery and were let in anew
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
		NamespacesRefused: s.namespacesRefused.Load(), BackplaneLost: s.lost.Load(), BackplaneUnknown: s.unknownLoss.Load(),
		Recovered: s.recovered.Load(), NotRecovered: s.notRecovered.Load(),
	}
	for _, ns := range srv.Namespaces() {
		st.Sockets[ns.name] = ns.Len()
	}
	return st
}
