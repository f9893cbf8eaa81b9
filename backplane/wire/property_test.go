package wire_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/protocol"
)

// messages draws messages within the default limits, with names of any bytes.
func messages(t *rapid.T) *wire.Message {
	// A few bytes, again and again: thousands of single draws would take long.
	short := func(most int) string {
		b := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes")
		return strings.Repeat(string(b), rapid.IntRange(1, most/8).Draw(t, "times"))
	}
	list := func(most int) []string {
		n := rapid.IntRange(0, 5).Draw(t, "elements")
		var s []string
		for range n {
			s = append(s, short(most))
		}
		return s
	}
	m := &wire.Message{
		Envelope: backplane.Envelope{
			Kind:        backplane.Kind(rapid.Uint8().Draw(t, "kind")),
			Op:          backplane.Op(rapid.Uint8().Draw(t, "op")),
			Flags:       backplane.Flags(rapid.Uint16().Draw(t, "flags")),
			Origin:      short(backplane.MaxID),
			ID:          rapid.Uint64().Draw(t, "id"),
			Namespace:   short(backplane.DefaultNamespace),
			Target:      backplane.Target{Rooms: list(backplane.DefaultRoom), Except: list(backplane.DefaultRoom)},
			Key:         short(backplane.MaxKey),
			Frames:      protocol.Frames{Text: []byte(short(1000))},
			Data:        []byte(short(1000)),
			Timeout:     time.Duration(rapid.Int64Min(0).Draw(t, "timeout")),
			Traceparent: short(backplane.MaxTraceparent),
		},
		Sender:   short(backplane.MaxID),
		Counter:  rapid.Uint64().Draw(t, "counter"),
		Baseline: rapid.Bool().Draw(t, "baseline"),
		Final:    rapid.Bool().Draw(t, "final"),
		Replies:  rapid.Uint64().Draw(t, "replies"),
		Name:     short(backplane.DefaultRoom),
	}
	for _, a := range list(300) {
		m.Frames.Binary = append(m.Frames.Binary, []byte(a))
	}
	return m
}

func TestPropertyRoundTrip(t *testing.T) {
	t.Parallel()
	var reused wire.Message
	rapid.Check(t, func(t *rapid.T) {
		want := messages(t)
		data := want.Append(nil)
		if len(data) != want.Len() {
			t.Fatalf("%d bytes, Len() said %d", len(data), want.Len())
		}
		got, err := wire.Decode(data, backplane.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			t.Fatalf("changed (-sent +got):\n%s", d)
		}
		if err := reused.Decode(data, backplane.Limits{}); err != nil || diff(want, &reused) != "" {
			t.Fatalf("into a used message: %v\n%s", err, diff(want, &reused))
		}
		if again := got.Append(nil); !bytes.Equal(again, data) {
			t.Fatalf("encoded again it is %x, was %x", again, data)
		}
	})
}

// The order of fields means nothing, except among elements of one list.
func TestPropertyAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := messages(t)
		want.Target.Rooms, want.Target.Except = alike(want.Target.Rooms), alike(want.Target.Except)
		for i := range want.Frames.Binary {
			want.Frames.Binary[i] = []byte("same")
		}
		data := want.Append(nil)
		var fields [][]byte
		for rest := data[1:]; len(rest) > 0; {
			key, behind := varint(rest)
			v, behind := varint(behind)
			if key&7 == 2 {
				behind = behind[v:]
			}
			fields = append(fields, rest[:len(rest)-len(behind)])
			rest = behind
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		got, err := wire.Decode(message(fields...), backplane.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			t.Fatalf("the order matters (-want +got):\n%s", d)
		}
	})
}

func alike(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return strings.Split(strings.Repeat("same,", len(names)-1)+"same", ",")
}
