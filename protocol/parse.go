package protocol

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// maxIDDigits bounds an ack id, so that it fits 64 bits (R3).
const maxIDDigits = 19

// packet parses one text packet into p (Socket.IO protocol, "Packet
// encoding"):
//
//	<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
//
// It returns how many attachments follow.
func (d *Decoder) packet(data []byte, p *Packet) (attachments int, err error) {
	p.Type, p.Namespace, p.ID, p.HasID = Connect, Root, 0, false
	p.Event, p.Args, p.Payload = nil, Args{}, nil
	if len(data) == 0 {
		return 0, nil // JavaScript reads the missing digit as 0, a CONNECT
	}
	t := Type(data[0] - '0')
	if t > BinaryAck {
		return 0, &SyntaxError{Reason: reasonType}
	}
	p.Type = t
	i := 1
	if t >= BinaryEvent {
		if attachments, i, err = d.attachments(data, i); err != nil {
			return 0, err
		}
		p.Type = t - BinaryEvent + Event
	}
	if i, err = d.namespace(data, i, p); err != nil {
		return 0, err
	}
	if i, err = ackID(data, i, p); err != nil {
		return 0, err
	}
	s := newScanner(data, d.limits.MaxDepth, attachments)
	if i, err = d.payload(&s, i, p); err != nil {
		return 0, err
	}
	if i = s.Space(i); i != len(data) {
		return 0, &SyntaxError{Offset: i, Reason: reasonTrailing}
	}
	return attachments, nil
}

// attachments reads "<n>-". A binary packet without attachments is refused, as
// in socket.io-parser since 4.2.7.
func (d *Decoder) attachments(data []byte, i int) (n, next int, err error) {
	start := i
	for ; i < len(data) && '0' <= data[i] && data[i] <= '9'; i++ {
		if n = n*10 + int(data[i]-'0'); n > d.limits.MaxAttachments {
			return 0, 0, &LimitError{Limit: "attachments", Value: n, Max: d.limits.MaxAttachments}
		}
	}
	if n == 0 || i >= len(data) || data[i] != '-' {
		return 0, 0, &SyntaxError{Offset: start, Reason: reasonAttachments}
	}
	return n, i + 1, nil
}

// namespace reads a namespace with its comma, if there is one. It ends at the
// first comma or, as clients of 1.x write it, with the packet.
func (d *Decoder) namespace(data []byte, i int, p *Packet) (int, error) {
	if i >= len(data) || data[i] != '/' {
		return i, nil
	}
	end := bytes.IndexByte(data[i:], ',')
	next := i + end + 1
	if end < 0 {
		end, next = len(data)-i, len(data)
	}
	ns := data[i : i+end]
	name := nameLen(ns)
	if name > d.limits.MaxNamespace {
		return 0, &LimitError{Limit: "namespace length", Value: name, Max: d.limits.MaxNamespace}
	}
	if query := len(ns) - name; query > d.limits.MaxQuery {
		return 0, &LimitError{Limit: "namespace query length", Value: query, Max: d.limits.MaxQuery}
	}
	p.Namespace = d.intern(ns)
	return next, nil
}

// intern returns ns as a string, the one made before if it was seen lately.
func (d *Decoder) intern(ns []byte) string {
	if string(ns) == Root {
		return Root
	}
	for _, k := range d.known {
		if string(ns) == k {
			return k
		}
	}
	s := string(ns)
	if len(s) <= d.limits.MaxNamespace { // a query is not worth keeping
		d.known[d.next] = s
		d.next = (d.next + 1) % knownNamespaces
	}
	return s
}

func ackID(data []byte, i int, p *Packet) (int, error) {
	start := i
	for ; i < len(data) && '0' <= data[i] && data[i] <= '9'; i++ {
		if i-start == maxIDDigits {
			return 0, &SyntaxError{Offset: start, Reason: reasonAckID}
		}
		p.ID = p.ID*10 + uint64(data[i]-'0')
	}
	p.HasID = i > start
	return i, nil
}

// payload reads the JSON part, if any, and checks that it suits the type. It
// must follow its header at once; white space may come after it.
func (d *Decoder) payload(s *scanner, i int, p *Packet) (int, error) {
	switch p.Type {
	case Event:
		return d.event(s, i, p)
	case Ack:
		if s.at(i) != '[' {
			return 0, s.notA(i, reasonAck)
		}
		return s.arguments(i, &p.Args, nil, d.limits.MaxArguments)
	case Disconnect:
		if i < len(s.Data) {
			return 0, &SyntaxError{Offset: i, Reason: reasonDisconnect}
		}
		return i, nil
	}
	if i >= len(s.Data) {
		return i, nil
	}
	c := s.Data[i]
	if p.Type == Connect && c != '{' {
		return 0, s.notA(i, reasonConnect)
	}
	if p.Type == ConnectError && c != '{' && c != '"' {
		return 0, s.notA(i, reasonError)
	}
	end := s.Value(i, 0)
	if end < 0 {
		return 0, s.err()
	}
	p.Payload = s.Data[i:end:end]
	return end, nil
}

// notA explains a payload of the wrong kind: it may be no JSON at all.
func (s *scanner) notA(i int, reason string) error {
	if i < len(s.Data) && s.Value(i, 0) < 0 {
		return s.err()
	}
	return &SyntaxError{Offset: i, Reason: reason}
}

// event reads the array of an EVENT and unquotes its name.
func (d *Decoder) event(s *scanner, i int, p *Packet) (int, error) {
	if s.at(i) != '[' {
		return 0, s.notA(i, reasonEvent)
	}
	var name span
	end, err := s.arguments(i, &p.Args, &name, d.limits.MaxArguments)
	if err != nil {
		return 0, err
	}
	raw := s.Data[name.start:name.end:name.end]
	switch {
	case len(raw) == 0: // an empty array
		return 0, &SyntaxError{Offset: i, Reason: reasonEvent}
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		p.Event = raw
	case raw[0] == '"':
		p.Event = raw[1 : len(raw)-1 : len(raw)-1]
		if bytes.IndexByte(raw, '\\') >= 0 {
			p.Event, _ = jsontext.AppendUnquote(nil, raw) // lone surrogates become U+FFFD
		}
	default:
		return 0, &SyntaxError{Offset: int(name.start), Reason: reasonEvent}
	}
	if len(p.Event) > d.limits.MaxEvent {
		return 0, &LimitError{Limit: "event name length", Value: len(p.Event), Max: d.limits.MaxEvent}
	}
	if isReserved(p.Event) {
		return 0, &SyntaxError{Offset: int(name.start), Reason: reasonReserved}
	}
	return end, nil
}
