// Package protocol is the Socket.IO packet codec of revisions 4 and 5, which
// clients 1.3.5 to 4.8 speak (https://socket.io/docs/v4/socket-io-protocol/).
//
// It stands at the bottom of the house: transport carries its [Frames], node
// reads its [Packet]s, and envelopes between nodes hold both. Below it is only
// protocol/engineio, which frames messages and does not know what they say.
// Package protocol/msgpack translates the other parser's packets to and from
// the same two types.
//
// The rule of the package is that an event is encoded once, where it is born,
// and its arguments stay raw JSON until somebody asks for a value:
//
//	f, err := protocol.EncodeEvent(protocol.JSON, "/chat", "news", []any{"hello", blob})
//	...
//	var d protocol.Decoder // one per session
//	d.Init(protocol.Limits{})
//	var p protocol.Packet
//	done, err := d.Text(message, &p)
//	...
//	var title string
//	var body []byte
//	err = p.Args.Decode(protocol.JSON, &title, &body)
//
// A [Decoder] is as strict as socket.io-parser 4.2.7 and adds limits: a packet
// that it refuses is a reason to close the connection. What the decoder cannot
// know is left to its caller: whether a namespace is connected, whether the
// message is UTF-8, whether a CONNECT_ERROR may come from this side. It takes
// these oddities, as JavaScript does: a number as event name, an empty packet
// (a CONNECT of the root), white space after the JSON, and a namespace without
// its comma. An EVENT or ACK without a payload, which JavaScript lets pass, is
// refused.
//
// The package is pure: no I/O, no goroutine, no lock, no clock. Values are
// safe for concurrent use if nobody writes to them, except a Decoder, which
// belongs to one session. Scanning allocates nothing; see [Decoder.Text].
package protocol
