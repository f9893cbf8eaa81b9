// Package engineio is the codec of the Engine.IO protocol, revisions 3 and 4:
// packets, the payloads that carry several of them in the body of a polling
// request or response, the JSONP wrapping, and the handshake.
//
// It stands at the bottom of the protocol stack: package transport builds
// sessions on it, package protocol (Socket.IO) goes into its messages. It is
// pure. It reads and writes byte slices, does no I/O, starts no goroutine,
// keeps no lock and imports the standard library only. Functions may be called
// concurrently; the only type with state is Payload3Decoder, one per session.
//
// # Forms
//
//	                     revision 3                             revision 4
//	text frame           4hello                                 4hello
//	binary frame         04 01 02 03                            01 02 03
//	binary as text       b4AQID                                 bAQID
//	polling payload      6:4hello1:2 (UTF-16 code units)        4hello \x1e 2
//	with binary          00 06 ff "4hello" 01 04 ff 04 01 02 03 4hello \x1e bAQID
//
// A decoder checks everything it reads, since what it reads comes from anybody,
// and takes time and memory in proportion to the length of its input, whatever
// lengths the input claims. Payload decoders yield the packets before an error,
// as the reference implementation does.
//
//	var payload []byte
//	payload = engineio.AppendPayload4(payload, engineio.Packet{Type: engineio.Message, Data: []byte("hello")})
//	payload = engineio.AppendPayload4(payload, engineio.Packet{Type: engineio.Ping})
//
//	err := engineio.DecodePayload4(payload, func(p engineio.Packet) error {
//		return session.handle(p)
//	})
//	if errors.Is(err, engineio.ErrPacket) {
//		// close the session with "parse error"
//	}
package engineio
