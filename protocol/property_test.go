package protocol_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/protocol"
)

// anyValue draws what an application may emit and gets back the same from
// DecodeValue into any; attachments counts the binary values in it.
func anyValue(attachments *int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), toAny),
		rapid.Map(rapid.String(), toAny),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), toAny),
		rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) any {
			*attachments++
			return append([]byte{}, b...)
		}),
	)
	var node func(depth int) *rapid.Generator[any]
	node = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(
			leaf,
			rapid.Map(rapid.SliceOfN(node(depth-1), 0, 3), func(l []any) any { return append([]any{}, l...) }),
			rapid.Map(rapid.MapOfN(rapid.String(), node(depth-1), 0, 3), toAny),
		)
	}
	return node(3)
}

func toAny[T any](v T) any { return v }

var (
	namespaces = rapid.OneOf(rapid.Just("/"), rapid.Just("/chat"), rapid.StringMatching(`/[^,]{0,20}`))
	eventNames = rapid.String().Filter(func(s string) bool { return len(s) <= 128 && !protocol.IsReserved(s) })
)

// feed gives a packet to d as the wire would.
func feed(d *protocol.Decoder, f protocol.Frames) (*protocol.Packet, error) {
	p := new(protocol.Packet)
	done, err := d.Text(f.Text, p)
	for _, b := range f.Binary {
		if err != nil {
			return nil, err
		}
		p, done, err = d.Binary(b)
	}
	if err == nil && !done {
		panic("not done")
	}
	return p, err
}

// What one side encodes, the other decodes, with every codec, as event and as
// ack, with and without id and tail.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	limits := protocol.Limits{MaxAttachments: 1000, MaxNamespace: 1000}
	rapid.Check(t, func(t *rapid.T) {
		var attachments int
		args := rapid.SliceOfN(anyValue(&attachments), 0, 10).Draw(t, "args")
		ns, name := namespaces.Draw(t, "namespace"), eventNames.Draw(t, "event")
		id := rapid.Uint64Max(9999999999999999999).Draw(t, "id")
		for codecName, c := range codecs {
			f, err := protocol.EncodeEvent(c, ns, name, args)
			if err != nil {
				t.Fatalf("%s: %v", codecName, err)
			}
			a, err := protocol.EncodeAck(c, ns, id, args)
			if err != nil {
				t.Fatalf("%s: %v", codecName, err)
			}
			tail := append(slices.Clone(args), "tail")
			checkPacket(t, c, f, limits, protocol.Event, ns, name, nil, args)
			checkPacket(t, c, f.WithID(id), limits, protocol.Event, ns, name, &id, args)
			checkPacket(t, c, f.WithID(id).WithTail([]byte(`"tail"`)), limits, protocol.Event, ns, name, &id, tail)
			checkPacket(t, c, a, limits, protocol.Ack, ns, "", &id, args)
			checkPacket(t, c, a.WithTail([]byte(`"tail"`)), limits, protocol.Ack, ns, "", &id, tail)

			last := len(args) == 0
			if !last {
				_, last = args[len(args)-1].(string)
			}
			if f.EndsInString() != last {
				t.Fatalf("%s ends in string: %v", f.Text, !last)
			}
			if !f.WithTail([]byte(`"tail"`)).EndsInString() || f.WithTail([]byte("null")).EndsInString() {
				t.Fatalf("%s: wrong end with a tail", f.Text)
			}
		}
	})
}

func checkPacket(t *rapid.T, c protocol.Codec, f protocol.Frames, l protocol.Limits,
	kind protocol.Type, ns, name string, id *uint64, args []any,
) {
	t.Helper()
	if !json.Valid(f.Text[bytes.IndexByte(f.Text, '['):]) && !strings.Contains(ns, "[") {
		t.Fatalf("%s holds no JSON", f.Text)
	}
	p, err := feed(protocol.NewDecoder(l), f)
	if err != nil {
		t.Fatalf("%s: %v", f.Text, err)
	}
	if p.Type != kind || p.Namespace != ns || string(p.Event) != name || p.HasID != (id != nil) || id != nil && p.ID != *id {
		t.Fatalf("%s became %+v", f.Text, p)
	}
	got := []any{}
	for i := range p.Args.Len() {
		var v any
		if err := p.Args.DecodeArg(c, i, &v); err != nil {
			t.Fatalf("%s: %v", f.Text, err)
		}
		got = append(got, v)
	}
	if diff := cmp.Diff(append([]any{}, args...), got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", f.Text, diff)
	}
	// Relayed without decoding, it is the same packet.
	var again protocol.Frames
	if kind == protocol.Event {
		again, err = protocol.EncodeEventArgs(ns, name, p.Args.Clone())
		if id != nil {
			again = again.WithID(*id)
		}
	} else {
		again, err = protocol.EncodeAckArgs(ns, *id, p.Args.Clone())
	}
	if diff := cmp.Diff(spell(f), spell(again)); diff != "" || err != nil {
		t.Fatalf("relayed: %v (-want +got):\n%s", err, diff)
	}
}

// A packet is decoded the same whatever its decoder decoded before, and
// whatever buffer it comes in.
func TestDecoderKeepsNoState(t *testing.T) {
	t.Parallel()
	texts := []string{
		`0/a,{"x":1}`, `1/b,`, `2["a",1,2,3,4,5,6,7,8,9]`, `2/c,5["b"]`, `31["x"]`, `51-/a,["c",{"_placeholder":true,"num":0}]`,
		`2/d,["\u0064"]`, `52-["e",[{"_placeholder":true,"num":1}],"s"]`, `62-7[]`, ``,
	}
	rapid.Check(t, func(t *rapid.T) {
		d := protocol.NewDecoder(protocol.Limits{})
		buf := make([]byte, 0, 256)
		var p protocol.Packet
		for _, text := range rapid.SliceOf(rapid.SampledFrom(texts)).Draw(t, "texts") {
			var bin []string
			if len(text) > 1 && text[0] >= '5' {
				for i := range text[1] - '0' {
					bin = append(bin, strings.Repeat("b", int(i)))
				}
			}
			want, _, err := decode(protocol.Limits{}, text, bin...)
			if err != nil {
				t.Fatal(err)
			}
			buf = append(buf[:0], text...)
			got := &p
			done, err := d.Text(buf, &p)
			for _, b := range bin {
				clear(buf)
				got, done, err = d.Binary([]byte(b))
			}
			if err != nil || !done {
				t.Fatalf("%s: done %v, %v", text, done, err)
			}
			if diff := cmp.Diff(flatten(want), flatten(got)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", text, diff)
			}
		}
	})
}
