// Package client is a small Socket.IO client: revision 5 over Engine.IO 4, as
// the JavaScript clients 3.x and 4.x speak it. Tests and load generators of this
// repository use it, and so may any program.
//
//	c, err := client.Dial(ctx, "https://example.org", client.Config{})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	chat, err := c.Of("/chat", map[string]any{"token": token})
//	if err != nil {
//		return err
//	}
//	chat.On("news", func(e *client.Event) {
//		var title string
//		if err := e.Decode(&title); err == nil {
//			fmt.Println(title)
//		}
//	})
//	if err := chat.Connect(ctx); err != nil {
//		return err
//	}
//	err = chat.Emit(ctx, "hello", "world")
//	receipt, err := client.Call[Receipt](ctx, chat, "order", order)
//
// It speaks long-polling and WebSocket and upgrades from one to the other,
// carries binary values in both directions, reconnects with a growing random
// delay, and keeps what connection state recovery needs: after a break it
// presents the session's pid and the offset of the last event, and
// [Socket.Recovered] says whether the server took it up.
//
// # Where it stands
//
// Above protocol, protocol/engineio and protocol/msgpack, and beside the
// server: nothing above the protocol is shared with it, so that the two check
// each other.
//
// # Goroutines and locks
//
// A [Client] owns one goroutine that connects, and while it is connected one
// that reads, one that writes, and until the upgrade one for that. A [Socket]
// has a goroutine only while handlers have something to do; its handlers run one
// after the other, those of different sockets at the same time. All have ended
// when [Client.Done] is closed.
//
// One mutex guards the state of a client and its sockets. No handler is called
// and nothing is sent while it is held; those of mailboxes and of the send queue
// are taken behind it.
//
// Queues are bounded. Emitting waits for room in the send queue. A socket whose
// handlers are slower than the server holds [Config.EventQueue] events; then
// reading stops. Only while an answer is awaited does it go on, up to a second
// bound that ends the connection, so a handler may wait for an answer of its own
// server.
package client
