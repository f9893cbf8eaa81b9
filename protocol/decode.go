package protocol

import (
	"bytes"
)

// knownNamespaces is how many namespaces, besides the root, a decoder keeps so
// that decoding a packet of theirs allocates nothing.
const knownNamespaces = 2

// Decoder decodes the Socket.IO packets of one session in the form of the
// default (JSON) parser, and puts binary packets together. It does no I/O and
// is small enough to be embedded by value.
//
// A Decoder is not safe for concurrent use. It is as strict as socket.io-parser
// 4.2.7: after any error the connection is to be closed.
type Decoder struct {
	limits  Limits
	known   [knownNamespaces]string
	next    uint8 // the known namespace that is replaced next
	pending *pending
}

// pending is a binary packet that waits for attachments.
type pending struct {
	packet Packet
	want   int
	size   int
}

// NewDecoder returns a decoder with limits.
func NewDecoder(l Limits) *Decoder {
	d := new(Decoder)
	d.Init(l)
	return d
}

// Init readies d, forgetting whatever it held.
func (d *Decoder) Init(l Limits) { *d = Decoder{limits: l.WithDefaults()} }

// Pending reports whether a binary packet waits for attachments.
func (d *Decoder) Pending() bool { return d.pending != nil }

// Text decodes the text of one Engine.IO message into p, replacing all of it.
// The text must be valid UTF-8, which is the transport's to check.
//
// If done, p is complete and its slices alias data. If not, the packet is a
// binary one that waits for attachments: the decoder keeps a copy of its own,
// which Binary returns when it is complete, and p and data are free again.
//
// Decoding an event with up to 8 arguments allocates nothing, provided its
// namespace is "/" or one of those seen last and its name has no escapes.
func (d *Decoder) Text(data []byte, p *Packet) (done bool, err error) {
	if d.pending != nil {
		d.pending = nil
		return false, &SyntaxError{Reason: reasonPending}
	}
	if len(data) > 0 && (data[0] == '5' || data[0] == '6') {
		return false, d.binaryText(data, p)
	}
	_, err = d.packet(data, p)
	return err == nil, err
}

// binaryText begins a binary packet.
func (d *Decoder) binaryText(data []byte, p *Packet) error {
	if len(data) > d.limits.MaxPending {
		return &LimitError{Limit: "unfinished packet", Value: len(data), Max: d.limits.MaxPending}
	}
	w := &pending{size: len(data)}
	// The packet outlives the caller's buffer.
	want, err := d.packet(bytes.Clone(data), &w.packet)
	if err != nil {
		return err
	}
	w.want = want
	d.pending = w
	*p = w.packet
	return nil
}

// Binary takes the next attachment. The decoder keeps data, which the caller
// hands over. When it was the last one, done is true and p is the packet, which
// belongs to the caller.
func (d *Decoder) Binary(data []byte) (p *Packet, done bool, err error) {
	w := d.pending
	if w == nil {
		return nil, false, &SyntaxError{Reason: reasonUnasked}
	}
	w.size += len(data)
	if w.size > d.limits.MaxPending {
		d.pending = nil
		return nil, false, &LimitError{Limit: "unfinished packet", Value: w.size, Max: d.limits.MaxPending}
	}
	if data == nil {
		data = []byte{} // nil would be null when it is encoded again
	}
	w.packet.Args.bin = append(w.packet.Args.bin, data)
	if len(w.packet.Args.bin) < w.want {
		return nil, false, nil
	}
	d.pending = nil
	return &w.packet, true, nil
}
