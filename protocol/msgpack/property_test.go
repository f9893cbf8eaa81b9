package msgpack_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

func values() *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), toAny),
		rapid.Map(rapid.String(), toAny),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), toAny),
		rapid.Map(rapid.Int64(), func(n int64) any { return float64(n) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(b []byte) any { return append([]byte{}, b...) }),
	)
	node := leaf
	for range 3 {
		child := node
		node = rapid.OneOf(
			leaf,
			rapid.Map(rapid.SliceOfN(child, 0, 20), func(l []any) any { return append([]any{}, l...) }),
			rapid.Map(rapid.MapOfN(rapid.String(), child, 0, 20), toAny),
		)
	}
	return node
}

func toAny[T any](v T) any { return v }

// An event that goes out as MessagePack comes in as what it was.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	limits := protocol.Limits{MaxAttachments: math.MaxInt}
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(values(), 0, 20).Draw(t, "args")
		id := rapid.Uint64Max(9999999999999999999).Draw(t, "id")
		f, err := protocol.EncodeEvent(protocol.JSON, "/chat", "name", args)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := msgpack.Append(nil, f.WithID(id))
		if err != nil {
			t.Fatal(err)
		}
		var p protocol.Packet
		if err := msgpack.Decode(msg, limits, &p); err != nil {
			t.Fatalf("%s: %v", f.Text, err)
		}
		if p.Type != protocol.Event || p.Namespace != "/chat" || p.ID != id || !p.HasID || string(p.Event) != "name" {
			t.Fatalf("%s became %+v", f.Text, p)
		}
		got := []any{}
		for i := range p.Args.Len() {
			var v any
			if err := p.Args.DecodeArg(protocol.JSON, i, &v); err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		if diff := cmp.Diff(append([]any{}, args...), got, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", f.Text, diff)
		}
	})
}

// The seeds are in testdata/fuzz, one file each, and run with every go test.

// FuzzDecode: nothing panics, errors are typed and point into the message, and
// what is decoded can be sent on in both forms.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, msg []byte) {
		before := bytes.Clone(msg)
		var p protocol.Packet
		err := msgpack.Decode(msg, protocol.Limits{}, &p)
		if !bytes.Equal(before, msg) {
			t.Fatalf("%x became %x", before, msg)
		}
		if err != nil {
			syntax, ok := errors.AsType[*protocol.SyntaxError](err)
			if ok && (syntax.Offset < 0 || syntax.Reason == "") {
				t.Fatalf("error %v", err)
			}
			if limit, isLimit := errors.AsType[*protocol.LimitError](err); !ok && (!isLimit || limit.Value <= limit.Max) {
				t.Fatalf("error %v", err)
			}
			return
		}
		frames, ok := encode(t, &p)
		if !ok {
			return
		}
		again, err := msgpack.Append(nil, frames)
		if err != nil {
			t.Fatalf("%x: %s: %v", msg, frames.Text, err)
		}
		// An attachment that two placeholders name is two bins from here on, so
		// what has to stay the same is the message.
		var back protocol.Packet
		if err := msgpack.Decode(again, protocol.Limits{MaxAttachments: len(msg)}, &back); err != nil {
			t.Fatalf("%x: again %x: %v", msg, again, err)
		}
		if back.Type != p.Type || back.Namespace != p.Namespace || !bytes.Equal(back.Event, p.Event) ||
			back.Args.Len() != p.Args.Len() {
			t.Fatalf("%x: %+v became %+v", msg, p, back)
		}
		frames, ok = encode(t, &back)
		if third, err := msgpack.Append(nil, frames); ok && (err != nil || !bytes.Equal(again, third)) {
			t.Fatalf("%x: %x became %x, %v", msg, again, third, err)
		}
	})
}

// encode writes p in the text form, as it is written for other clients.
func encode(t *testing.T, p *protocol.Packet) (f protocol.Frames, ok bool) {
	var err error
	switch p.Type {
	case protocol.Connect:
		f.Text = protocol.AppendConnect(nil, p.Namespace, p.Payload)
	case protocol.Disconnect:
		f.Text = protocol.AppendDisconnect(nil, p.Namespace)
	case protocol.ConnectError:
		f.Text = protocol.AppendConnectError(nil, p.Namespace, p.Payload)
	case protocol.Event:
		f, err = protocol.EncodeEventArgs(p.Namespace, string(p.Event), p.Args)
	case protocol.Ack:
		f, err = protocol.EncodeAckArgs(p.Namespace, p.ID, p.Args)
	}
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	// An attachment that stood in a repeated key or an overwritten field is
	// counted and not used; the decoder of the text form takes that too.
	d := protocol.NewDecoder(protocol.Limits{MaxAttachments: len(f.Binary) + 1})
	var q protocol.Packet
	done, err := d.Text(f.Text, &q)
	for range f.Binary {
		if err == nil {
			_, done, err = d.Binary(nil)
		}
	}
	if limit, isLimit := errors.AsType[*protocol.LimitError](err); isLimit && limit.Limit == "unfinished packet" {
		return f, false // larger as text
	}
	if err != nil || !done {
		t.Fatalf("%s: done %v, %v", f.Text, done, err)
	}
	return f, true
}

// FuzzAppend: whatever frames hold, they become a packet that can be read, or
// an error.
func FuzzAppend(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, attachment []byte) {
		for _, bin := range [][][]byte{nil, {attachment}} {
			msg, err := msgpack.Append(nil, protocol.Frames{Text: text, Binary: bin})
			if err != nil {
				if !errors.Is(err, msgpack.ErrFrames) || msg != nil {
					t.Fatalf("%q: %x, %v", text, msg, err)
				}
				continue
			}
			most := 3*len(text) + 1 // a byte that is not UTF-8 becomes U+FFFD
			limits := protocol.Limits{MaxDepth: 2000, MaxEvent: most, MaxNamespace: most, MaxQuery: most}
			var p protocol.Packet
			if err := msgpack.Decode(msg, limits, &p); err != nil {
				checkRefusal(t, err, text, msg)
			}
		}
	})
}

// checkRefusal allows what Append leaves to its caller: names and ids.
func checkRefusal(t *testing.T, err error, text, msg []byte) {
	syntax, ok := errors.AsType[*protocol.SyntaxError](err)
	if !ok {
		t.Fatalf("%q became %x: %v", text, msg, err)
	}
	switch syntax.Reason {
	case "payload of an event is not an array with a name", "payload does not suit the packet type",
		"reserved event name", "bad ack id", "bad namespace":
	default:
		t.Fatalf("%q became %x: %v", text, msg, err)
	}
}
