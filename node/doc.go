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
// # The way of an event
//
// The session's reader decodes a packet and puts it into the socket's mailbox;
// the mailbox runs the handlers, one event at a time. Acknowledgements and the
// ends of namespaces pass the mailbox by, so a handler may wait for its own
// client. A full mailbox pauses the reading from its connection.
//
// # The way of a broadcast
//
// The event is encoded once. Each shard's room index resolves who gets it and
// posts it to the shard's writer under one lock; a room's member list is
// handed over as it is, without a copy. Other nodes get the encoded packet in
// an envelope. A durable broadcast goes to the log only, and every node
// delivers it when the log's feed brings it.
//
// # Goroutines
//
// A mailbox has one while it has work, a connection to a namespace with
// middleware or OnConnect one until it is decided; both, and those of
// Server.Go, are waited for by Shutdown. One watches the membership.
//
// # Locks, in order
//
// Server.mu → roomIndex.mu → Socket.mu → conn.mu → transport's session and
// shard locks → session.mu → recovery.mu, feed.mu, interest.mu. Handlers are
// called under none of them.
package node
