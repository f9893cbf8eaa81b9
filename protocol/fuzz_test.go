package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
)

// The seeds are in testdata/fuzz, one file each, and run with every go test.

// FuzzDecoder gives any text, and a binary message if it is asked for, to a
// decoder: nothing panics, errors point into the text, what is decoded is
// valid JSON, and encoding it again gives the same packet.
func FuzzDecoder(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, attachment []byte) {
		before := bytes.Clone(text)
		d := protocol.NewDecoder(protocol.Limits{})
		p := new(protocol.Packet)
		done, err := d.Text(text, p)
		for range 10 {
			if err != nil || done {
				break
			}
			p, done, err = d.Binary(attachment)
		}
		if !bytes.Equal(before, text) {
			t.Fatalf("%q became %q", before, text)
		}
		if err != nil {
			checkError(t, err, text, attachment)
			return
		}
		if !done || d.Pending() {
			t.Fatalf("done %v, pending %v after ten attachments", done, d.Pending())
		}
		again(t, p)
	})
}

func checkError(t *testing.T, err error, text, attachment []byte) {
	if syntax, ok := errors.AsType[*protocol.SyntaxError](err); ok {
		if syntax.Offset < 0 || syntax.Offset > len(text) || syntax.Reason == "" {
			t.Fatalf("error %v for %d bytes", err, len(text))
		}
		return
	}
	limit, ok := errors.AsType[*protocol.LimitError](err)
	if !ok || limit.Value <= limit.Max {
		t.Fatalf("error %v", err)
	}
	if limit.Limit == "unfinished packet" && len(text)+10*len(attachment) <= limit.Max {
		t.Fatalf("error %v for %d and %d bytes", err, len(text), len(attachment))
	}
}

// again encodes p and decodes that.
func again(t *testing.T, p *protocol.Packet) {
	var f protocol.Frames
	var err error
	switch p.Type {
	case protocol.Connect:
		f.Text = protocol.AppendConnect(nil, p.Namespace, p.Payload)
	case protocol.Disconnect:
		f.Text = protocol.AppendDisconnect(nil, p.Namespace)
	case protocol.ConnectError:
		f.Text = protocol.AppendConnectError(nil, p.Namespace, p.Payload)
	case protocol.Event:
		if f, err = protocol.EncodeEventArgs(p.Namespace, string(p.Event), p.Args); p.HasID {
			f = f.WithID(p.ID)
		}
	case protocol.Ack:
		if f, err = protocol.EncodeAckArgs(p.Namespace, p.ID, p.Args); !p.HasID {
			return // an ack without id is never sent
		}
	default:
		t.Fatalf("type %v", p.Type)
	}
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	if p.Payload != nil && !json.Valid(p.Payload) {
		t.Fatalf("payload %q", p.Payload)
	}
	for i := range p.Args.Len() {
		if !json.Valid(p.Args.Raw(i)) {
			t.Fatalf("argument %q", p.Args.Raw(i))
		}
		var v any
		err := p.Args.DecodeArg(protocol.JSON, i, &v)
		if std := json.Unmarshal(p.Args.Raw(i), new(any)); (err == nil) != (std == nil) {
			t.Fatalf("argument %q: %v, encoding/json says %v", p.Args.Raw(i), err, std)
		}
	}
	back, err := feed(protocol.NewDecoder(protocol.Limits{MaxEvent: 1000}), f)
	if err != nil {
		t.Fatalf("%q: %v", f.Text, err)
	}
	want := flatten(p)
	got := flatten(back)
	if p.Type == protocol.Connect || p.Type == protocol.Disconnect || p.Type == protocol.ConnectError {
		want.ID, want.HasID = 0, false // not written again: it means nothing there
	}
	if p.Type == protocol.Event {
		// A name may hold bytes that are no UTF-8, which the transport refuses.
		want.Event = string(bytes.ToValidUTF8([]byte(want.Event), []byte("\uFFFD")))
		got.Event = string(bytes.ToValidUTF8([]byte(got.Event), []byte("\uFFFD")))
		if bytes.ContainsRune([]byte(want.Event), '\uFFFD') {
			want.Event, got.Event = "", ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q (-want +got):\n%s", f.Text, diff)
	}
}

// FuzzDecodeValue compares what the codecs make of any text.
func FuzzDecodeValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return // the decoder let nothing else pass
		}
		bin := [][]byte{[]byte("zero"), []byte("one")}
		for _, bin := range [][][]byte{nil, bin} {
			var ours, std any
			errOurs := protocol.JSON.DecodeValue(raw, bin, &ours)
			errStd := protocol.StdCodec.DecodeValue(raw, bin, &std)
			if (errOurs == nil) != (errStd == nil) {
				t.Fatalf("%q: %v, the other codec says %v", raw, errOurs, errStd)
			}
			if diff := cmp.Diff(std, ours); diff != "" && errOurs == nil {
				t.Fatalf("%q (-std +ours):\n%s", raw, diff)
			}
			var list []any
			_ = protocol.JSON.DecodeValue(raw, bin, &list)
			_ = protocol.StdCodec.DecodeValue(raw, bin, &list)
			var doc document
			_ = protocol.JSON.DecodeValue(raw, bin, &doc)
			_ = protocol.StdCodec.DecodeValue(raw, bin, &doc)
		}
	})
}

// FuzzCheckEvent: what is an event of a namespace for CheckEvent is one for a
// client, too, and the offset fits behind it.
func FuzzCheckEvent(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, attachment []byte) {
		frames := protocol.Frames{Text: text}
		if len(attachment) > 0 {
			frames.Binary = [][]byte{attachment}
		}
		if frames.CheckEvent("/a", protocol.Limits{}) != nil {
			return
		}
		for _, frames := range []protocol.Frames{frames, frames.WithTail([]byte(`"1.abcd"`))} {
			d := protocol.NewDecoder(protocol.Limits{})
			p := new(protocol.Packet)
			done, err := d.Text(frames.Text, p)
			if err == nil && !done {
				p, done, err = d.Binary(attachment)
			}
			if err != nil || !done || p.Type != protocol.Event || p.Namespace != "/a" || p.HasID {
				t.Fatalf("%q is decoded as %+v, %v", frames.Text, p, err)
			}
		}
	})
}
