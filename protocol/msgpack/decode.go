package msgpack

import (
	"bytes"
	"unicode/utf8"

	"github.com/siod-io/siod/protocol"
)

// maxID is the largest ack id, 19 nines, as in the text form (R3).
const maxID = 9_999_999_999_999_999_999

// Decode turns one packet into p, replacing all of it. It takes over msg, which
// p.Event and the attachments alias.
//
// Rules are those of [protocol.Decoder] where they apply, with its error types:
// reserved names, limits on depth, names and the number of binary values. The
// packet's own map does not count as depth. Unknown keys are skipped, nil and
// undefined are the same as absent. A map that looks like a placeholder is one
// if the packet has binary values besides.
func Decode(msg []byte, l protocol.Limits, p *protocol.Packet) error {
	l = l.WithDefaults()
	*p = protocol.Packet{Namespace: protocol.Root}
	r := reader{msg: msg, maxDepth: l.MaxDepth}
	data, err := readFields(&r, l, p)
	if err != nil {
		return err
	}
	t := transcoder{reader: r, limits: l}
	t.pos = data
	return t.data(p)
}

// readFields reads the packet's map. It returns where the data begins, or the
// length of the message if there is none.
func readFields(r *reader, l protocol.Limits, p *protocol.Packet) (data int, err error) {
	head, err := r.next()
	if err != nil {
		return 0, err
	}
	if head.kind != kindMap {
		return 0, r.bad(0, reasonMap)
	}
	if _, err := r.children(&head, 0); err != nil {
		return 0, err
	}
	data = len(r.msg)
	var hasType, hasNamespace bool
	for range head.n {
		key, err := r.next()
		if err != nil {
			return 0, err
		}
		if key.kind != kindString {
			return 0, r.bad(key.at, reasonKey)
		}
		switch string(key.body) {
		case "type":
			hasType, err = true, readType(r, p)
		case "nsp":
			hasNamespace, err = true, readNamespace(r, l, p)
		case "id":
			err = readID(r, p)
		case "data":
			data = r.pos
			err = r.skip(0)
		default:
			err = r.skip(0)
		}
		if err != nil {
			return 0, err
		}
	}
	switch {
	case r.pos != len(r.msg):
		return 0, r.bad(r.pos, reasonTrailing)
	case !hasType:
		return 0, r.bad(0, reasonType)
	case !hasNamespace:
		return 0, r.bad(0, reasonNamespace)
	}
	return data, nil
}

func readType(r *reader, p *protocol.Packet) error {
	it, err := r.next()
	if err != nil {
		return err
	}
	if it.kind != kindUint || it.n > uint64(protocol.ConnectError) {
		return r.bad(it.at, reasonType)
	}
	p.Type = protocol.Type(it.n)
	return nil
}

func readNamespace(r *reader, l protocol.Limits, p *protocol.Packet) error {
	it, err := r.next()
	if err != nil {
		return err
	}
	// Answers are written in the text form first, where a comma would end it.
	if it.kind != kindString || len(it.body) == 0 || it.body[0] != '/' ||
		bytes.IndexByte(it.body, ',') >= 0 || !utf8.Valid(it.body) {
		return r.bad(it.at, reasonNamespace)
	}
	name := len(it.body)
	if i := bytes.IndexByte(it.body, '?'); i >= 0 {
		name = i
	}
	if name > l.MaxNamespace {
		return &protocol.LimitError{Limit: "namespace length", Value: name, Max: l.MaxNamespace}
	}
	if query := len(it.body) - name; query > l.MaxQuery {
		return &protocol.LimitError{Limit: "namespace query length", Value: query, Max: l.MaxQuery}
	}
	p.Namespace = protocol.Root
	if string(it.body) != protocol.Root {
		p.Namespace = string(it.body)
	}
	return nil
}

func readID(r *reader, p *protocol.Packet) error {
	it, err := r.next()
	if err != nil || it.undefined() {
		return err
	}
	if it.kind != kindUint || it.n > maxID {
		return r.bad(it.at, reasonAckID)
	}
	p.ID, p.HasID = it.n, true
	return nil
}
