package wire_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/protocol"
)

// whole is a message with every field set.
func whole() *wire.Message {
	return &wire.Message{
		Envelope: backplane.Envelope{
			Kind:      backplane.KindEvent,
			Op:        200,
			Flags:     backplane.FlagVolatile | backplane.FlagDegraded,
			Origin:    "bootA",
			ID:        1<<63 + 5,
			Namespace: "/chat",
			Target:    backplane.Target{Rooms: []string{"r", "", "é\x00\xff"}, Except: []string{"x", "y"}},
			Key:       "price",
			Frames: protocol.Frames{
				Text:   []byte(`51-/chat,["e",{"_placeholder":true,"num":0}]`),
				Binary: [][]byte{{0, 255, '\n'}, {}},
			},
			Data:        []byte{1, 0, 2},
			Timeout:     1500 * time.Millisecond,
			Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		},
		Sender:   "bootB",
		Counter:  300,
		Baseline: true,
		Final:    true,
		Replies:  2,
		Name:     "/a name of the address",
	}
}

// chat is the message that there are most of.
func chat() *wire.Message {
	return &wire.Message{
		Envelope: backplane.Envelope{
			Kind:      backplane.KindEvent,
			Origin:    "n7Gq2xLsPd0Vb4Ae",
			ID:        81234567,
			Namespace: "/chat",
			Target:    backplane.Target{Rooms: []string{"lobby"}},
			Frames:    protocol.Frames{Text: []byte(`2/chat,["message",{"user":"alice","text":"hello there, how are you?","n":42,"ok":true,"at":1763870400123}]`)},
		},
		Counter: 4711,
	}
}

// diff compares messages; how an absent slice is spelled does not matter.
func diff(want, got *wire.Message) string {
	return cmp.Diff(want, got, cmp.Comparer(bytes.Equal), cmp.Comparer(slices.Equal[[]string]),
		cmp.Comparer(func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }))
}

// field encodes one field without the package under test.
func field(number, typ int, value ...byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(number)<<3|uint64(typ)), value...)
}

// text encodes a field of bytes.
func text(number int, value string) []byte {
	return append(field(number, 2, binary.AppendUvarint(nil, uint64(len(value)))...), value...)
}

// number encodes a field of a number.
func number(n int, value uint64) []byte { return field(n, 0, binary.AppendUvarint(nil, value)...) }

// message puts fields behind the version.
func message(fields ...[]byte) []byte {
	data := []byte{1}
	for _, f := range fields {
		data = append(data, f...)
	}
	return data
}

// split takes a message apart into its fields, and knows the form only: it
// shares no code with the package under test.
func split(t testing.TB, data []byte) [][]byte {
	t.Helper()
	var fields [][]byte
	for rest := data[1:]; len(rest) > 0; {
		key, n := binary.Uvarint(rest)
		v, m := binary.Uvarint(rest[n:])
		if n <= 0 || m <= 0 {
			t.Fatalf("no field at %q", rest)
		}
		switch n += m; key & 7 {
		case 0:
		case 2:
			n += int(v)
		default:
			t.Fatalf("wire type %d in what was encoded here", key&7)
		}
		fields, rest = append(fields, rest[:n:n]), rest[n:]
	}
	return fields
}

func varint(data []byte) (uint64, []byte) {
	v, n := binary.Uvarint(data)
	return v, data[max(n, 0):]
}
