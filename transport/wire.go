package transport

import (
	"bytes"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// wire is how a message looks on one kind of connection.
type wire uint8

const (
	wireWS4       wire = iota // revision 4 over WebSocket
	wireWS3                   // revision 3: binary frames begin with the packet type
	wireWS3Base64             // revision 3 with b64=1: binary packets as text
	wireWS4Deflate
	wireWS3Deflate
	wireWS3Base64Deflate
	wirePoll4 // a record of a polling payload
	wirePoll3
	wirePoll3Binary
	wireCount
)

// wsWires is how many of the wires are those of WebSockets.
const wsWires = wirePoll4

// webSocketWire chooses the wire of a connection.
func webSocketWire(rev engineio.Revision, base64, deflate bool) wire {
	w := wireWS4
	switch {
	case rev == engineio.V3 && base64:
		w = wireWS3Base64
	case rev == engineio.V3:
		w = wireWS3
	}
	if deflate {
		w += wireWS4Deflate
	}
	return w
}

// isDeflate tells whether frames of this kind may be compressed.
func (w wire) isDeflate() bool { return w >= wireWS4Deflate && w <= wireWS3Base64Deflate }

// plain is the same kind without compression.
func (w wire) plain() wire {
	if w.isDeflate() {
		return w - wireWS4Deflate
	}
	return w
}

// build makes the bytes of a packet for w in a slice of their own.
func build(f protocol.Frames, w wire, raw bool) []byte {
	n := len(f.Text) + 16
	for _, b := range f.Binary {
		if w == wireWS3Base64 || w >= wirePoll4 {
			n += len(b)*4/3 + 24
		} else {
			n += len(b) + 16
		}
	}
	dst := make([]byte, 0, n)
	if w < wirePoll4 {
		return appendWebSocket(dst, f, w)
	}
	return appendPolling(dst, f, w, raw)
}

// appendWebSocket appends the finished frames of a packet: the text, then the
// attachments in order.
func appendWebSocket(dst []byte, f protocol.Frames, w wire) []byte {
	z := w.isDeflate()
	w = w.plain()
	if f.Text != nil {
		dst = appendFrame(dst, ws.OpText, '4', f.Text, z)
	}
	for _, b := range f.Binary {
		switch w {
		case wireWS3:
			dst = appendFrame(dst, ws.OpBinary, 4, b, z)
		case wireWS3Base64:
			p := engineio.Packet{Type: engineio.Message, Binary: true, Data: b}
			dst = appendFrame(dst, ws.OpText, -1, engineio.AppendText(nil, engineio.V3, p), z)
		default:
			dst = appendFrame(dst, ws.OpBinary, -1, b, z)
		}
	}
	return dst
}

// appendFrame appends one unmasked frame whose payload is the byte prefix (if
// not negative) and data.
func appendFrame(dst []byte, op ws.OpCode, prefix int, data []byte, deflate bool) []byte {
	n := len(data)
	if prefix >= 0 {
		n++
	}
	if deflate {
		plain := data
		if prefix >= 0 {
			plain = append(append(make([]byte, 0, n), byte(prefix)), data...)
		}
		if z, err := wsframe.Deflate(nil, plain); err == nil && len(z) < n {
			dst = wsframe.AppendHeader(dst, op, true, len(z))
			return append(dst, z...)
		}
	}
	dst = wsframe.AppendHeader(dst, op, false, n)
	if prefix >= 0 {
		dst = append(dst, byte(prefix))
	}
	return append(dst, data...)
}

// appendPolling appends the records of a packet. raw says that the text is not
// Socket.IO JSON and is to be left alone.
func appendPolling(dst []byte, f protocol.Frames, w wire, raw bool) []byte {
	if f.Text != nil {
		text := f.Text
		if w == wirePoll3 && !raw {
			text = asciiPacket(text)
		}
		dst = appendRecord(dst, w, engineio.Packet{Type: engineio.Message, Data: text})
	}
	for _, b := range f.Binary {
		dst = appendRecord(dst, w, engineio.Packet{Type: engineio.Message, Binary: true, Data: b})
	}
	return dst
}

// appendRecord appends one packet to a polling payload.
func appendRecord(dst []byte, w wire, p engineio.Packet) []byte {
	switch w {
	case wirePoll4:
		return engineio.AppendPayload4(dst, p)
	case wirePoll3:
		return engineio.AppendPayload3(dst, p)
	default:
		return engineio.AppendPayload3Binary(dst, p)
	}
}

// asciiPacket escapes the JSON of a Socket.IO packet into pure ASCII. Clients
// of the 1.x line encode polling payloads as UTF-8 twice, those of the 2.x
// line once, and nothing tells them apart; ASCII reads the same either way.
func asciiPacket(text []byte) []byte {
	if engineio.IsASCII(text) {
		return text
	}
	// In front of the JSON may stand the number of attachments and the
	// namespace ("51-/a,"). In the namespace an escape would be other text, so
	// one beyond ASCII goes out as it is.
	i := 1
	if text[0] == '5' || text[0] == '6' {
		i += bytes.IndexByte(text[1:], '-') + 1
	}
	if i < len(text) && text[i] == '/' {
		comma := bytes.IndexByte(text[i:], ',')
		if comma < 0 {
			return text
		}
		i += comma
	}
	return engineio.AppendASCII(text[:i:i], text[i:])
}
