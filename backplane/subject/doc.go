// Package subject builds and reads the NATS subjects of a cluster. It is the
// only place where one is put together: nothing that a user chose, a room, a
// namespace, an event, an id, is ever part of a subject as it is (R18, R20).
//
// It stands below the packages that speak NATS, which are natsio, emitter and
// worker, and knows the addresses of package backplane and nothing else.
//
//	space, err := subject.New("siod")
//	…
//	to, err := space.Fast(backplane.Room("/chat", "lobby"))
//	// sio.siod.f.nchat.dJ.plobby
//	at, queue, err := space.Subscribe(backplane.Requests(backplane.AnyNamespace))
//	// sio.siod.q.*
//
// # Subjects
//
// <c> is the name of the cluster, <log> a number in decimal digits, <shard> two
// characters that follow from the room, and the other words in brackets are
// names in the form of a [Token].
//
//	sio.<c>.f.<ns>.<shard>.<room>    fast: to a room
//	sio.<c>.f.<ns>.s.<home>.<sid>    fast: to a socket, <home> from the id (R2)
//	sio.<c>.f.<ns>.all               fast: to a namespace
//	sio.<c>.i.<log>.<ns>.…           durable, to the log; … as for fast
//	sio.<c>.d.<log>.<ns>.…           durable, from the log, in its order
//	sio.<c>.q.<ns>                   requests to every node
//	sio.<c>.n.<node>                 to one node
//	sio.<c>.g.<ns>                   to any node, from processes that are none
//	sio.<c>.h.<ns>.<event>           to any worker
//	sio.<c>.e.<ns>                   emits as plain JSON
//	sio.<c>.occ.<ns>                 rooms that become occupied or vacated
//	sio.<c>.beat.<node>              signs of life
//	sio.<c>.digest.<node>            counters of what the node published (R22)
//	sio.<c>.canary.<node>            of a node to itself
//	sio.<c>.j.<node>.<key>           journal of the node's sessions
//	sio.<c>.own.<pid>                owner of a session that moved
//	sio.<c>.owned.<pid>              the same, when it is stored
//	_INBOX_node.<node>.…             replies to the node
//
// The namespace comes first after the class (and log), so that a permission of
// NATS can limit a role to it: sio.<c>.f.<ns>.> and sio.<c>.i.*.<ns>.>.
//
// # Sizes
//
// A subject made here is shorter than [MaxLen] whatever the names are. The
// server closes a connection whose control line, with two subjects and some
// numbers, is longer than 4,096 bytes.
//
// # Concurrency
//
// The package is pure: no goroutine, no lock, no clock. A [Space] is a small
// value, immutable and safe for concurrent use.
package subject
