package protocol

import "unicode/utf8"

// CheckEvent reports what keeps frames that somebody else made from being an
// event of a namespace as [EncodeEvent] makes one: of valid JSON in UTF-8, without
// an ack id, with as many attachments as it says, and under no reserved name.
// Whoever writes such frames to clients speaks to them in that namespace, and says
// nothing but an event. It allocates nothing for an event with up to 8 arguments
// whose name has no escapes.
//
// Errors: *[SyntaxError], *[LimitError].
func (f Frames) CheckEvent(namespace string, l Limits) error {
	var d Decoder
	var p Packet
	d.Init(l)
	d.known[0] = namespace
	attachments, err := d.packet(f.Text, &p)
	switch {
	case err != nil:
		return err
	case p.Type != Event, p.Namespace != namespace, p.HasID, attachments != len(f.Binary),
		f.Text[len(f.Text)-1] != ']', !utf8.Valid(f.Text):
		return &SyntaxError{Reason: reasonOther}
	}
	return nil
}
