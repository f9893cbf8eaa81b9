// Package node is a Socket.IO server: namespaces, sockets, rooms, broadcasts,
// acknowledgements, middleware, and the recovery of connections that were
// lost. It is what applications program against.
//
// It stands on package transport, which serves the Engine.IO sessions and does
// the writing, and sees other nodes only through the interfaces of packages
// backplane and membership: a cluster is another implementation of these, not
// another code path.
//
//	bp := memory.New()
//	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
//	…
//	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
//	…
//	chat := srv.Of("/chat")
//	chat.OnConnect(func(ctx context.Context, s *node.Socket) error { return s.Join("lobby") })
//	node.Handle(chat, "message", func(ctx context.Context, s *node.Socket, m Message) (Receipt, error) {
//		return Receipt{ID: newID()}, s.To("lobby").Emit(ctx, "message", m)
//	})
//	err = srv.ListenAndServe(ctx, "127.0.0.1:3000", nil)
//
// # The life of a socket
//
// A client asks for a namespace. The namespace is looked up, made if a Dynamic
// accepts its name; the middlewares of Use and then the handlers of OnConnect
// run, and an error of one refuses the client. From the beginning of OnConnect
// the socket is a member of its rooms; what is sent to it is held back until
// the client has been told that it is connected, and follows then, in order.
// At the end nothing reaches the socket any more, its context ends, events that
// arrived before are handled, and OnDisconnecting and OnDisconnect run, once
// each, exactly if OnConnect succeeded.
//
// # The way of an event
//
// The session's reader decodes a packet and puts it into the socket's mailbox;
// the mailbox runs the handlers, one event at a time. Acknowledgements and the
// ends of namespaces pass the mailbox by, so a handler may wait for its own
// client. A mailbox that is full, of events or of bytes, pauses the reading
// from its connection (R1).
//
// # The way of a broadcast
//
// The event is encoded once. Each shard's room index resolves who gets it and
// posts it to the shard's writer under one lock; a room's member list is
// handed over as it is, without a copy (R11). Other nodes get the encoded
// packet in an envelope. A durable broadcast goes to the log only, and every
// node delivers it when the log's feed brings it.
//
// # The way of a client that comes back
//
// Where recovery is on, each socket of a client that can recover has a session,
// which outlives it: id, rooms, data, user, and the history of what the client
// should have received. The feed keeps the newest entries of the log in a ring.
// A client that lost its connection presents the session's private id and the
// offset of the last event that it got. Middleware has a look at it, then its
// socket claims the session (session.go), from another server if need be
// (take.go), which throws an older socket off. Package resume decides whether
// nothing is missing. If so OnConnect runs with Socket.Recovered, and the client
// is sent CONNECT, what it missed, and what was held back, in one piece.
//
// # Goroutines
//
// A mailbox has one while it has work, of which a few for each processor wait
// for the next mailbox; a client on its way into a namespace
// with middleware, OnConnect or recovery one until it is decided; a broadcast
// with acknowledgements one for other servers' answers, and one on each of
// these; events of another server one while there are any. One watches the
// membership, and where recovery is on one tells other servers which of their
// sessions are here, and one trims the ring of past events; where they are
// stored, one has them stored anew now and then. Shutdown waits for all of them
// and for those of Server.Go.
// Handlers of OnRoom, OnAnyOutgoing and Broadcast calls run in the goroutine
// of whoever caused them. Where sessions are stored, one records them, and one
// reads at the start what the log holds from before; an operation of another
// server then has one until it is stored. While durable emits go live since the
// log takes no writes, one waits to store this server's break record, and one
// for each server that died before it could.
//
// # Locks
//
// In this order, where several are held:
//
//	session.turn     a session changes hands
//	session.pen      a change of it is stored and made; several in order of pid
//	Server.mu        namespaces; Dynamic.childMu is taken under it
//	roomIndex.mu     one shard's sockets and rooms; those of a namespace in order of the shards
//	  interest.mu    rooms of this server, with the backplane's own locks under it
//	  collector.mu   answers to one broadcast; collectors.mu is taken before it
//	Socket.mu        state, data, pending acknowledgements
//	conn.mu          namespaces of one connection
//	transport's session and shard locks
//	session.mu       whose the session is, and its history
//	recovery.mu, feed.mu
//
// mailbox.mu, workers.mu, Namespace.mu, roomEvents.mu, serverEvents.mu, lapses.mu,
// degraded.mu, sparse.mu and those of the journal are leaves. The application's code is called under
// none of them, but for OnRoom, which may run under session.turn and session.pen.
package node
