// Package msgpack translates between the packets of socket.io-msgpack-parser
// and the form that the rest of the program knows: [protocol.Packet] with JSON
// arguments on the way in, [protocol.Frames] on the way out.
//
// In that parser each packet is one binary Engine.IO message, a MessagePack map
// with the keys type, nsp, data and id. There are no attachments: a binary value
// is a MessagePack bin where it stands. Here it becomes an attachment and back,
// so that an event of a msgpack client reaches a JSON client, and the other way
// round, and nothing above this package has two kinds of packet.
//
//	in                                       out
//	nil, bool, str, array, map               the same
//	int, uint                                a JSON number without point
//	float32, float64                         a JSON number; NaN and Inf are null
//	bin                                      attachment and placeholder
//	ext 0 of 1 byte (undefined)              null
//	ext 0 of 8 bytes (JavaScript date)       ISO 8601 text
//	ext -1 (timestamp)                       ISO 8601 text
//
// On the way out a JSON number without point and exponent is an int or uint if
// it fits 64 bits, else a float64; a placeholder is a bin; dates stay text.
//
// The package is pure: no I/O, no goroutine, no lock, no state. Both functions
// are linear in the size of their input and allocate in proportion to what was
// received, never to a length that it claims.
package msgpack
