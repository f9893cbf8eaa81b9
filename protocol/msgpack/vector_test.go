package msgpack_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

// vectors are bytes of socket.io-msgpack-parser 3.0.2 and what they mean.
var vectors = []struct {
	name  string
	hex   string
	text  string
	bin   []string // hex
	event string
	args  string // joined by spaces
}{
	{name: "event", hex: "83a47479706502a36e7370a12fa46461746192a568656c6c6f01",
		text: `2["hello",1]`, event: "hello", args: "1"},
	{name: "event with id and bin", hex: "84a47479706502a36e7370a52f63686174a2696403a46461746192a161c4020102",
		text: `51-/chat,3["a",{"_placeholder":true,"num":0}]`, bin: []string{"0102"}, event: "a", args: `{"_placeholder":true,"num":0}`},
	{name: "ack", hex: "84a47479706503a36e7370a12fa2696403a46461746190", text: `33[]`},
	{name: "disconnect", hex: "82a47479706501a36e7370a12f", text: `1`},
	{name: "connect", hex: "83a47479706500a36e7370a12fa46461746181a5746f6b656ea178", text: `0{"token":"x"}`},
	{name: "connect error", hex: "83a47479706504a36e7370a12fa46461746181a76d657373616765a46e6f7065", text: `4{"message":"nope"}`},
}

// wire returns the bytes that s spells in hexadecimal, spaces apart.
func wire(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rawArgs(a protocol.Args) string {
	var parts []string
	for i := range a.Len() {
		parts = append(parts, string(a.Raw(i)))
	}
	return strings.Join(parts, " ")
}

func TestAppendVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		f := protocol.Frames{Text: []byte(v.text)}
		for _, b := range v.bin {
			f.Binary = append(f.Binary, wire(t, b))
		}
		got, err := msgpack.Append([]byte{0xff}, f)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if diff := cmp.Diff("ff"+v.hex, hex.EncodeToString(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v.name, diff)
		}
	}
}

func TestDecodeVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		var p, want protocol.Packet
		if err := msgpack.Decode(wire(t, v.hex), protocol.Limits{}, &p); err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		d := protocol.NewDecoder(protocol.Limits{})
		done, err := d.Text([]byte(v.text), &want)
		for _, b := range v.bin {
			var w *protocol.Packet
			if w, done, err = d.Binary(wire(t, b)); done {
				want = *w
			}
		}
		if err != nil || !done {
			t.Fatalf("%s: the text form: done %v, %v", v.name, done, err)
		}
		if p.Type != want.Type || p.Namespace != want.Namespace || p.ID != want.ID || p.HasID != want.HasID {
			t.Errorf("%s: got %+v, want %+v", v.name, p, want)
		}
		if diff := cmp.Diff(v.event, string(p.Event)); diff != "" {
			t.Errorf("%s: event (-want +got):\n%s", v.name, diff)
		}
		if diff := cmp.Diff(v.args, rawArgs(p.Args)); diff != "" {
			t.Errorf("%s: args (-want +got):\n%s", v.name, diff)
		}
		if diff := cmp.Diff(want.Args.Attachments(), p.Args.Attachments()); diff != "" {
			t.Errorf("%s: attachments (-want +got):\n%s", v.name, diff)
		}
		if diff := cmp.Diff(string(want.Payload), string(p.Payload)); diff != "" {
			t.Errorf("%s: payload (-want +got):\n%s", v.name, diff)
		}
	}
}
