// Package transport serves Engine.IO sessions, revisions 3 and 4, as an
// http.Handler: handshakes, long polling, JSONP, WebSocket, the upgrade from
// one to the other, heartbeats, queues, CORS and compression. It stands between
// the HTTP server and package node, which it knows as a Handler only; rooms,
// namespaces and events are not its business. What it writes are Messages:
// packets that are encoded once and framed for each kind of session at most
// once.
//
// # Parts
//
//	Engine     the http.Handler: checks requests, knows the sessions
//	Session    one client; lifecycle decides what happens to it, as a pure
//	           state machine, and Session does it
//	Shard      owns the writing to its share of the sessions
//	wsConn     one WebSocket, read by a goroutine of its own
//	Message    one packet and the bytes it has on each kind of connection
//	Forwarder  has other nodes answer for their sessions (transport/forward)
//
// # Writing
//
// A broadcast is one Cast for each Shard: an append to its inbox. The shard's
// writer takes the whole inbox, joins the messages for one set of sessions, and
// makes one non-blocking write(2) for each connection. A message to one session
// is written by its caller if nothing is on its way through the shard (V15),
// else it goes through the inbox. What a connection does not take waits in the
// session's bounded queue for a goroutine that ends when the queue is empty.
// Polling sessions always use their queue, TLS connections, too.
//
// # Goroutines
//
//	shard writer      1 per shard; New starts it, Shutdown ends it
//	heartbeat wheel   1; New starts it, Shutdown ends it
//	reader            1 per WebSocket; ends with the connection
//	drain             0 or 1 per connection; ends when nothing waits, within
//	                  WriteTimeout for each 64 KiB
//	Handler.Close     1 per session, for the time of the call
//	moments           1 for the time of a step when an upgrade takes too long,
//	                  or a poll that came during one has waited its 100 ms
//
// Requests are served on the HTTP server's goroutines. Shutdown waits for all
// of the above but a Handler that does not return.
//
// # Locks
//
// In the order in which they may be taken:
//
//	Session.dispatch   one call of Handler.Text or Binary at a time
//	Session.mu         life cycle, connection, queue; held for non-blocking
//	                   writes, never for a handler; the forms of a Message are
//	                   made under it
//	Shard.mu           inbox and position; the writer never takes Session.mu
//	                   under it; the function given to SendStamped runs under
//	                   both
//	sessionBucket.mu, Engine.lingerMu, addressLimiter.mu, the wheel's: leaves
//
// # Memory
//
// An idle WebSocket session holds no buffers: the reader takes one when bytes
// have come, and queues are given back when they are empty. Bytes given to a
// Handler are valid until it returns. A Message belongs to the transport once
// it was sent.
package transport
