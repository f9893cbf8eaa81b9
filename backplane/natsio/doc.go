// Package natsio is the backplane of a cluster, on NATS: an embedded server in
// this process or an external one. It implements backplane.Backplane, Logged,
// Occupancy, Solitary and Limited.
//
// It stands on backplane/subject, which makes every subject, and backplane/wire,
// the form of messages; the server itself is in backplane/embedded or elsewhere.
// Nothing above it knows NATS.
//
//	server, err := embedded.Start(ctx, embedded.Config{Name: "a"})
//	…
//	bp, err := natsio.Connect(ctx, natsio.Config{
//		ID:        membership.NewID(),
//		InProcess: server,
//		Options:   server.NodeOptions(),
//	})
//
// # Connections
//
// Each node has two. The live one carries the fast class, requests, replies and
// signs of life; the server does not echo to it what it sent. The other one is
// for logs, so that a slow log delays nothing else. Neither buffers while it is
// down: what cannot be sent is refused at once with backplane.ErrDisconnected.
//
// # Order
//
// What arrives on the live connection goes through one queue and one goroutine,
// which calls all handlers. Several would let messages of one sender overtake
// each other from address to address. Replies have their own.
//
// # Losses
//
// Core NATS delivers at most once. What is lost is found in three ways (R22),
// and told as a backplane.Gap:
//
//   - Messages are numbered by sender and subject. The next one that arrives
//     shows how many are missing before it.
//   - Every beat, a sender publishes how far it got on the subjects that became
//     quiet, so that a lost end is found too.
//   - Where numbers do not help, the loss is unknown in size, and told to the
//     subscription of the node's own address: after a reconnect, when the
//     queue was full, and when a beat of another node is missing, which is
//     how a broken route between two servers shows.
//
// A sender counts with its first message at a subscription; what was lost before
// that is not known.
//
// # Sessions
//
// One stream holds what other nodes need to recover the sessions of a killed
// one: the journal of each node, and the owner of each session that moved.
//
// A node stores the newest states of its sessions, many in a message, one
// message after the other, on two subjects by turns. In the course of a third of
// the recovery window it stores all that did not change again; then the other
// subject holds nothing of use, and is emptied when its turn comes. So a session
// is in the store twice at most, nothing is left of one that ended, and all of
// a journal is read at once, in the order of its messages.
//
// Owners are changed by compare-and-set. The store gives out each change on
// other subjects than it takes them, so that nobody hears of one it refused.
//
// Who reads a journal or the owners from any replica stores a mark first, and
// reads until it is there: what was stored before is not missed.
//
// # Goroutines
//
// A Backplane has four of its own, apart from those of the NATS client and of
// logs: the one that queues what the client brings; the receiver, which calls
// handlers; the one that sorts replies to requests; and the ticker, which beats.
// Numbers of received messages belong to the receiver and need no lock. A store
// of sessions adds the one that writes the journal, the one that looks whether
// the store lost something, and for each watch of owners the one that calls its
// handler.
//
// # Locks
//
// registry.mu, outbox.mu, occupancy.mu and syncs.mu may be held while the client
// takes a message or a subscription. Taken under another one: occupancy.mu under
// registry.mu, calls.mu under syncs.mu, link.mu under any. Handlers are called
// under no lock, and neither Subscribe nor Close waits for one.
package natsio
