package msgpack_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

// event wraps the bytes of arguments into an EVENT of the root named "a".
// count is how many there are.
func event(count int, args string) string {
	return fmt.Sprintf("83 a474797065 02 a36e7370 a12f a464617461 %02x a161 %s", 0x90+count+1, args)
}

func TestDecodeValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, hex, want string }{
		{"nil", "c0", "null"},
		{"undefined", "d40000", "null"},
		{"false, true", "92c2c3", "[false,true]"},
		{"fixint", "00", "0"}, {"fixint max", "7f", "127"},
		{"negative fixint", "ff", "-1"}, {"negative fixint min", "e0", "-32"},
		{"uint 8", "ccff", "255"}, {"uint 16", "cdffff", "65535"}, {"uint 32", "ceffffffff", "4294967295"},
		{"uint 64", "cfffffffffffffffff", "18446744073709551615"},
		{"2^40 as JavaScript writes it", "cf0000010000000000", "1099511627776"},
		{"2^53+1", "cf0020000000000001", "9007199254740993"},
		{"int 8", "d080", "-128"}, {"int 16", "d18000", "-32768"}, {"int 32", "d280000000", "-2147483648"},
		{"int 64", "d38000000000000000", "-9223372036854775808"},
		{"positive int 8", "d07f", "127"}, {"positive int 64", "d37fffffffffffffff", "9223372036854775807"},
		{"float 32", "ca3fc00000", "1.5"},
		{"float 64", "cb3ff8000000000000", "1.5"}, {"integral float", "cb4000000000000000", "2"},
		{"1e21", "cb444b1ae4d6e2ef50", "1e+21"}, {"1e-7", "cb3e7ad7f29abcaf48", "1e-07"}, {"1e20", "cb4415af1d78b58c40", "100000000000000000000"},
		{"NaN", "cb7ff8000000000000", "null"}, {"Inf", "cb7ff0000000000000", "null"}, {"float 32 -Inf", "caff800000", "null"},
		{"fixstr", "a568656c6c6f", `"hello"`}, {"empty", "a0", `""`}, {"str 8", "d90168", `"h"`}, {"str 16", "da000168", `"h"`}, {"str 32", "db0000000168", `"h"`},
		{"escapes", "a40a22005c", `"\n\"\u0000\\"`}, {"utf-8", "a2c3a9", `"é"`},
		{"lone surrogate as notepack writes it", "a3eda080", "\"\uFFFD\uFFFD\uFFFD\""},
		{"fixarray", "9301a16293c0c2c3", `[1,"b",[null,false,true]]`}, {"array 16", "dc000101", "[1]"}, {"array 32", "dd0000000101", "[1]"},
		{"fixmap", "82a161 01a162 80", `{"a":1,"b":{}}`}, {"map 16", "de0001a16101", `{"a":1}`}, {"map 32", "df00000001a16101", `{"a":1}`},
		{"integer keys", "8201a17802ff", `{"1":"x","2":-1}`}, {"repeated keys", "82a16101a16102", `{"a":1,"a":2}`},
		{"date", "d700 0000018cc820d888", `"2024-01-02T03:04:05.000Z"`}, {"date with ms", "d700 0000018cc820d88d", `"2024-01-02T03:04:05.005Z"`},
		{"date before 1970", "d700 ffffffffffffffff", `"1969-12-31T23:59:59.999Z"`},
		{"last date", "d700 001eb208c2dc0000", `"+275760-09-13T00:00:00.000Z"`}, {"after the last date", "d700 001eb208c2dc0001", "null"},
		{"first date", "d700 ffe14df73d240000", `"-271821-04-20T00:00:00.000Z"`}, {"before the first date", "d700 ffe14df73d23ffff", "null"},
		{"year -1", "d700 ffffc76e394a7400", `"-000001-01-01T00:00:00.000Z"`},
		{"timestamp 32", "d6ff 65937e25", `"2024-01-02T03:08:21.000Z"`},
		{"timestamp 64", "d7ff 0764170065937e25", `"2024-01-02T03:08:21.031Z"`},
		{"timestamp 96", "c70cff 1dcd6500 0000000065937e25", `"2024-01-02T03:08:21.500Z"`},
		{"timestamp 96 before 1970", "c70cff 00000000 ffffffffffffffff", `"1969-12-31T23:59:59.000Z"`},
		{"timestamp of too many nanoseconds", "c70cff 3b9aca00 0000000000000000", "null"},
		{"timestamp of the far future", "c70cff 00000000 7fffffffffffffff", "null"},
	}
	for _, tt := range tests {
		var p protocol.Packet
		if err := msgpack.Decode(wire(t, event(1, tt.hex)), protocol.Limits{}, &p); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := rawArgs(p.Args); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestDecodeBinary(t *testing.T) {
	t.Parallel()
	msg := wire(t, event(3, "c4020102 81a162c50000 92c60000000103d9025078"))
	var p protocol.Packet
	if err := msgpack.Decode(msg, protocol.Limits{}, &p); err != nil {
		t.Fatal(err)
	}
	const want = `{"_placeholder":true,"num":0} {"b":{"_placeholder":true,"num":1}} [{"_placeholder":true,"num":2},"Px"]`
	if diff := cmp.Diff(want, rawArgs(p.Args)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]byte{{1, 2}, {}, {3}}, p.Args.Attachments()); diff != "" {
		t.Errorf("attachments (-want +got):\n%s", diff)
	}
	var a []byte
	var b struct{ B []byte }
	if err := p.Args.Decode(protocol.JSON, &a, &b); err != nil || string(a) != "\x01\x02" {
		t.Errorf("decoded %q, %v", a, err)
	}
}

// The order and spelling of the packet's fields is the sender's.
func TestDecodeFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hex string
		want      protocol.Packet
		payload   string
	}{
		{
			name: "any order, unknown fields, long forms",
			hex:  "df00000005 a46f707473 81a16391c0 a464617461 93a161 0102 a36e7370 d9052f63686174 a474797065 cc02 d9026964 d303000000ffffffff",
			want: protocol.Packet{Type: protocol.Event, Namespace: "/chat", ID: 0x03000000ffffffff, HasID: true, Event: []byte("a")},
		},
		{name: "CONNECT with undefined", hex: "83 a474797065 00 a36e7370 a12f a464617461 d40000", want: protocol.Packet{Type: protocol.Connect, Namespace: "/"}},
		{name: "CONNECT with nil", hex: "83 a474797065 00 a36e7370 a12f a464617461 c0", want: protocol.Packet{Type: protocol.Connect, Namespace: "/"}},
		{name: "DISCONNECT with nil", hex: "83 a474797065 01 a36e7370 a12f a464617461 c0", want: protocol.Packet{Type: protocol.Disconnect, Namespace: "/"}},
		{name: "CONNECT without data", hex: "82 a474797065 00 a36e7370 a22f78", want: protocol.Packet{Type: protocol.Connect, Namespace: "/x"}},
		{name: "id undefined", hex: "84 a474797065 02 a36e7370 a12f a26964 d40000 a464617461 91a161", want: protocol.Packet{Type: protocol.Event, Namespace: "/", Event: []byte("a")}},
		{name: "largest id", hex: "84 a474797065 02 a36e7370 a12f a26964 cf8ac7230489e7ffff a464617461 91a161", want: protocol.Packet{Type: protocol.Event, Namespace: "/", ID: 9999999999999999999, HasID: true, Event: []byte("a")}},
		{name: "number as name", hex: "83 a474797065 02 a36e7370 a12f a464617461 91d1ff00", want: protocol.Packet{Type: protocol.Event, Namespace: "/", Event: []byte("-256")}},
		{name: "name that is no UTF-8", hex: "83 a474797065 02 a36e7370 a12f a464617461 91a261ff", want: protocol.Packet{Type: protocol.Event, Namespace: "/", Event: []byte("a\uFFFD")}},
		{name: "error as text", hex: "83 a474797065 04 a36e7370 a12f a464617461 a26e6f", want: protocol.Packet{Type: protocol.ConnectError, Namespace: "/"}, payload: `"no"`},
	}
	for _, tt := range tests {
		p := protocol.Packet{Payload: []byte("old"), HasID: true, ID: 7, Event: []byte("old")}
		if err := msgpack.Decode(wire(t, tt.hex), protocol.Limits{}, &p); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := string(p.Payload); got != tt.payload {
			t.Errorf("%s: payload %q", tt.name, got)
		}
		p.Payload, p.Args = nil, protocol.Args{}
		if diff := cmp.Diff(tt.want, p, cmp.Comparer(func(a, b protocol.Args) bool { return true })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	head := func(typ string, rest string) string { return "83 a474797065 " + typ + " a36e7370 a12f " + rest }
	deep := func(n int) string { return strings.Repeat("91", n) + "c0" }
	tests := []struct{ name, hex, want string }{
		{"nothing", "", "MessagePack ends early"},
		{"no map", "93010203", "packet is not a map"},
		{"text", "a161", "packet is not a map"},
		{"empty map", "80", "unknown packet type"},
		{"no type", "81 a36e7370 a12f", "unknown packet type"},
		{"no namespace", "81 a474797065 00", "bad namespace"},
		{"type 5", head("05", "a464617461 91a161"), "unknown packet type"},
		{"type as text", head("a132", "a464617461 91a161"), "unknown packet type"},
		{"type as float", head("cb4000000000000000", "a464617461 91a161"), "unknown packet type"},
		{"type negative", head("ff", "a464617461 91a161"), "unknown packet type"},
		{"namespace nil", "82 a474797065 00 a36e7370 c0", "bad namespace"},
		{"namespace empty", "82 a474797065 00 a36e7370 a0", "bad namespace"},
		{"namespace without slash", "82 a474797065 00 a36e7370 a163", "bad namespace"},
		{"namespace with comma", "82 a474797065 00 a36e7370 a32f612c", "bad namespace"},
		{"namespace no UTF-8", "82 a474797065 00 a36e7370 a22fff", "bad namespace"},
		{"id negative", head("02", "a26964 ff"), "bad ack id"},
		{"id as text", head("02", "a26964 a131"), "bad ack id"},
		{"id of 20 digits", head("02", "a26964 cf8ac7230489e80000"), "bad ack id"},
		{"field not named by text", "81 01 02", "key of a MessagePack map is neither text nor integer"},
		{"bytes after it", "82 a474797065 01 a36e7370 a12f c0", "bytes after the MessagePack value"},

		{"event without data", "82 a474797065 02 a36e7370 a12f", "payload of an event is not an array with a name"},
		{"event of a map", head("02", "a464617461 80"), "payload of an event is not an array with a name"},
		{"event of nothing", head("02", "a464617461 90"), "payload of an event is not an array with a name"},
		{"name is true", head("02", "a464617461 91c3"), "payload of an event is not an array with a name"},
		{"name is a map", head("02", "a464617461 9180"), "payload of an event is not an array with a name"},
		{"name is bin", head("02", "a464617461 91c40161"), "payload of an event is not an array with a name"},
		{"reserved", head("02", "a464617461 91a7636f6e6e656374"), "reserved event name"},
		{"ack of a map", head("03", "a464617461 80"), "payload does not suit the packet type"},
		{"ack without data", "82 a474797065 03 a36e7370 a12f", "payload does not suit the packet type"},
		{"connect of text", head("00", "a464617461 a178"), "payload does not suit the packet type"},
		{"connect of array", head("00", "a464617461 90"), "payload does not suit the packet type"},
		{"connect with bin", head("00", "a464617461 81a161c400"), "payload does not suit the packet type"},
		{"disconnect with data", head("01", "a464617461 80"), "payload does not suit the packet type"},
		{"error of a number", head("04", "a464617461 01"), "payload does not suit the packet type"},
		{"error of nothing", "82 a474797065 04 a36e7370 a12f", "payload does not suit the packet type"},

		{"byte c1", event(1, "c1"), "unknown MessagePack type"},
		{"extension 1", event(1, "d40100"), "unknown MessagePack extension"},
		{"extension 0 of two bytes", event(1, "d5000000"), "unknown MessagePack extension"},
		{"timestamp of five bytes", event(1, "c705ff0000000000"), "unknown MessagePack extension"},
		{"extension of no bytes", event(1, "c70005"), "unknown MessagePack extension"},
		{"key of a map is an array", event(1, "819001"), "key of a MessagePack map is neither text nor integer"},
		{"key of a map is nil", event(1, "81c001"), "key of a MessagePack map is neither text nor integer"},
		{"placeholder beside a bin", event(2, "c400 82 ac5f706c616365686f6c646572 c3 a36e756d 05"), "placeholder without attachment"},

		{"depth 65", event(1, deep(64)), "depth 65 over the limit of 64"},
		{"depth 65 in an unknown field", "81 a178" + deep(65), "depth 65 over the limit of 64"},
		{"eleven bins", event(11, strings.Repeat("c400", 11)), "attachments 11 over the limit of 10"},
		{"10,001 arguments", head("02", "a464617461 dc2712 a161"+strings.Repeat("c0", 10_001)), "arguments 10001 over the limit of 10000"},
		{"10,001 arguments of an ack", head("03", "a464617461 dc2711"+strings.Repeat("c0", 10_001)), "arguments 10001 over the limit of 10000"},
		{"long name", head("02", "a464617461 91d981"+strings.Repeat("61", 129)), "event name length 129 over the limit of 128"},
		{"long namespace", "82 a474797065 00 a36e7370 d9812f" + strings.Repeat("61", 128), "namespace length 129 over the limit of 128"},
		{"long query", "82 a474797065 00 a36e7370 da10032f613f" + strings.Repeat("61", 4096), "namespace query length 4097 over the limit of 4096"},
	}
	for _, tt := range tests {
		var p protocol.Packet
		err := msgpack.Decode(wire(t, tt.hex), protocol.Limits{}, &p)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// A message cut anywhere is refused, and so is one that claims more than it
// has, before anything is allocated for the claim.
func TestDecodeShort(t *testing.T) { // counts allocations, so not parallel
	whole := wire(t, event(9, "a26869 c4020102 81a16101 d7000000000000000000 cd0100 cb3ff8000000000000 d90161 c70cff 00000000 0000000000000000 c0"))
	var p protocol.Packet
	if err := msgpack.Decode(append(whole[:len(whole):len(whole)], 0xc0), protocol.Limits{}, &p); err == nil {
		t.Error("ten arguments in an array of nine")
	}
	if err := msgpack.Decode(whole, protocol.Limits{}, &p); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := msgpack.Decode(whole[:n], protocol.Limits{}, &p); err == nil {
			t.Errorf("%d of %d bytes are enough", n, len(whole))
		}
	}
	for _, claim := range []string{
		"dfffffffff", event(1, "ddffffffff"), event(1, "dfffffffff"), event(1, "dbffffffff"), event(1, "c6ffffffff"),
		event(1, "c9ffffffff00"), event(1, "dcffff"), event(1, "deffff"), "81 a178 ddffffffff",
	} {
		msg := wire(t, claim)
		if n := testing.AllocsPerRun(20, func() {
			err := msgpack.Decode(msg, protocol.Limits{}, &p)
			if _, ok := errors.AsType[*protocol.SyntaxError](err); !ok {
				t.Errorf("%s: %v", claim, err)
			}
		}); n > 5 {
			t.Errorf("%s: %v allocations", claim, n)
		}
	}
}

func TestDecodeLimitsAreSettable(t *testing.T) {
	t.Parallel()
	var p protocol.Packet
	l := protocol.Limits{MaxDepth: 100, MaxAttachments: 12, MaxArguments: 20_000}
	if err := msgpack.Decode(wire(t, "83 a474797065 03 a36e7370 a12f a464617461 dc4e20"+strings.Repeat("c0", 20_000)), l, &p); err != nil || p.Args.Len() != 20_000 {
		t.Errorf("20,000 arguments of 20,000: %d, %v", p.Args.Len(), err)
	}
	if err := msgpack.Decode(wire(t, event(1, strings.Repeat("91", 99)+"c0")), l, &p); err != nil {
		t.Errorf("depth 100 of 100: %v", err)
	}
	if err := msgpack.Decode(wire(t, event(12, strings.Repeat("c400", 12))), l, &p); err != nil {
		t.Errorf("12 bins of 12: %v", err)
	}
}
