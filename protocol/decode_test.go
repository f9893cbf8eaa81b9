package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
)

// packet is a protocol.Packet that cmp can compare and a table can spell.
type packet struct {
	Type      protocol.Type
	Namespace string
	ID        uint64
	HasID     bool
	Event     string
	Args      []string
	Bin       []string
	Payload   string
}

func flatten(p *protocol.Packet) packet {
	f := packet{
		Type: p.Type, Namespace: p.Namespace, ID: p.ID, HasID: p.HasID,
		Event: string(p.Event), Payload: string(p.Payload),
	}
	for i := range p.Args.Len() {
		f.Args = append(f.Args, string(p.Args.Raw(i)))
	}
	for _, b := range p.Args.Attachments() {
		f.Bin = append(f.Bin, string(b))
	}
	return f
}

// decode feeds one packet to a new decoder.
func decode(l protocol.Limits, text string, bin ...string) (*protocol.Packet, bool, error) {
	d := protocol.NewDecoder(l)
	p := new(protocol.Packet)
	done, err := d.Text([]byte(text), p)
	for _, b := range bin {
		if err != nil {
			return nil, false, err
		}
		p, done, err = d.Binary([]byte(b))
	}
	return p, done, err
}

const (
	connect      = protocol.Connect
	disconnect   = protocol.Disconnect
	event        = protocol.Event
	ack          = protocol.Ack
	connectError = protocol.ConnectError
)

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want packet
	}{
		{`0`, packet{Type: connect, Namespace: "/"}},
		{``, packet{Type: connect, Namespace: "/"}},
		{`0/chat`, packet{Type: connect, Namespace: "/chat"}},
		{`0/chat,`, packet{Type: connect, Namespace: "/chat"}},
		{`0/custom`, packet{Type: connect, Namespace: "/custom"}},
		{`0{"a":1}`, packet{Type: connect, Namespace: "/", Payload: `{"a":1}`}},
		{`0{"token":"x"}`, packet{Type: connect, Namespace: "/", Payload: `{"token":"x"}`}},
		{`0/,{}`, packet{Type: connect, Namespace: "/", Payload: `{}`}},
		{`0/chat?token=abc`, packet{Type: connect, Namespace: "/chat?token=abc"}},
		{`0/chat?token=abc,`, packet{Type: connect, Namespace: "/chat?token=abc"}},
		{`0/chat["a"]`, packet{Type: connect, Namespace: `/chat["a"]`}},
		{`1`, packet{Type: disconnect, Namespace: "/"}},
		{`1/chat`, packet{Type: disconnect, Namespace: "/chat"}},
		{`1/chat,`, packet{Type: disconnect, Namespace: "/chat"}},
		{`2["a"]`, packet{Type: event, Namespace: "/", Event: "a"}},
		{`2["a",1]`, packet{Type: event, Namespace: "/", Event: "a", Args: []string{"1"}}},
		{`21["a"]`, packet{Type: event, Namespace: "/", ID: 1, HasID: true, Event: "a"}},
		{`20["a"]`, packet{Type: event, Namespace: "/", HasID: true, Event: "a"}},
		{`2007["a"]`, packet{Type: event, Namespace: "/", ID: 7, HasID: true, Event: "a"}},
		{`29999999999999999999["a"]`, packet{Type: event, Namespace: "/", ID: 9999999999999999999, HasID: true, Event: "a"}},
		{`2/chat,1["a"]`, packet{Type: event, Namespace: "/chat", ID: 1, HasID: true, Event: "a"}},
		{`2/chat,12["a"]`, packet{Type: event, Namespace: "/chat", ID: 12, HasID: true, Event: "a"}},
		{`2/chat?token=abc&x=1,["a"]`, packet{Type: event, Namespace: "/chat?token=abc&x=1", Event: "a"}},
		{`2[1]`, packet{Type: event, Namespace: "/", Event: "1"}},
		{`2[1,"a"]`, packet{Type: event, Namespace: "/", Event: "1", Args: []string{`"a"`}}},
		{`2[-1.50e3]`, packet{Type: event, Namespace: "/", Event: "-1.50e3"}},
		{`2["\u0061\n"]`, packet{Type: event, Namespace: "/", Event: "a\n"}},
		{`2[""]`, packet{Type: event, Namespace: "/"}},
		{`2["error"]`, packet{Type: event, Namespace: "/", Event: "error"}},
		{`2["a"] ` + "\t\r\n", packet{Type: event, Namespace: "/", Event: "a"}},
		{`2[ "a" , { "b" : [ 1 , 2 ] } , null ]`, packet{Type: event, Namespace: "/", Event: "a", Args: []string{`{ "b" : [ 1 , 2 ] }`, "null"}}},
		{
			`2["a",{"_placeholder":true,"num":0}]`,
			packet{Type: event, Namespace: "/", Event: "a", Args: []string{`{"_placeholder":true,"num":0}`}},
		},
		{
			`2["a",{"_placeholder":true,"num":-7}]`,
			packet{Type: event, Namespace: "/", Event: "a", Args: []string{`{"_placeholder":true,"num":-7}`}},
		},
		{`31[]`, packet{Type: ack, Namespace: "/", ID: 1, HasID: true}},
		{`312[]`, packet{Type: ack, Namespace: "/", ID: 12, HasID: true}},
		{`3/chat,12["x"]`, packet{Type: ack, Namespace: "/chat", ID: 12, HasID: true, Args: []string{`"x"`}}},
		{`3[]`, packet{Type: ack, Namespace: "/"}},
		{`30["connect"]`, packet{Type: ack, Namespace: "/", HasID: true, Args: []string{`"connect"`}}},
		{`4"str"`, packet{Type: connectError, Namespace: "/", Payload: `"str"`}},
		{`4/chat,{"message":"m","data":{"a":1}}`, packet{Type: connectError, Namespace: "/chat", Payload: `{"message":"m","data":{"a":1}}`}},
		{`4/chat,"Invalid namespace"`, packet{Type: connectError, Namespace: "/chat", Payload: `"Invalid namespace"`}},
		{`4`, packet{Type: connectError, Namespace: "/"}},
	}
	for _, tt := range tests {
		p, done, err := decode(protocol.Limits{}, tt.text)
		if err != nil || !done {
			t.Errorf("%s: done %v, %v", tt.text, done, err)
			continue
		}
		if diff := cmp.Diff(tt.want, flatten(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		text string
		want error
	}{
		{`7`, &protocol.SyntaxError{Offset: 0, Reason: "unknown packet type"}},
		{`x`, &protocol.SyntaxError{Offset: 0, Reason: "unknown packet type"}},
		{`/`, &protocol.SyntaxError{Offset: 0, Reason: "unknown packet type"}},
		{"\x00", &protocol.SyntaxError{Offset: 0, Reason: "unknown packet type"}},

		{`2["a"`, &protocol.SyntaxError{Offset: 5, Reason: "invalid JSON"}},
		{`2["a",]`, &protocol.SyntaxError{Offset: 6, Reason: "invalid JSON"}},
		{`2["a",{"b":nul}]`, &protocol.SyntaxError{Offset: 11, Reason: "invalid JSON"}},
		{`2abc["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "invalid JSON"}},
		{`2 ["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "invalid JSON"}},
		{`2["a"]trail`, &protocol.SyntaxError{Offset: 6, Reason: "bytes after the JSON"}},
		{`2["a"][]`, &protocol.SyntaxError{Offset: 6, Reason: "bytes after the JSON"}},

		{`2`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an event is not an array with a name"}},
		{`2/chat["a"]`, &protocol.SyntaxError{Offset: 11, Reason: "payload of an event is not an array with a name"}},
		{`2[]`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an event is not an array with a name"}},
		{`2{}`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an event is not an array with a name"}},
		{`2"a"`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an event is not an array with a name"}},
		{`2-1["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an event is not an array with a name"}},
		{`2[true]`, &protocol.SyntaxError{Offset: 2, Reason: "payload of an event is not an array with a name"}},
		{`2[null]`, &protocol.SyntaxError{Offset: 2, Reason: "payload of an event is not an array with a name"}},
		{`2[{"toString":"x"}]`, &protocol.SyntaxError{Offset: 2, Reason: "payload of an event is not an array with a name"}},
		{`2[["a"]]`, &protocol.SyntaxError{Offset: 2, Reason: "payload of an event is not an array with a name"}},

		{`2["connect"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},
		{`2["connect_error"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},
		{`2["disconnect"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},
		{`2["disconnecting"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},
		{`2["newListener"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},
		{`2["removeListener"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},
		{`2["\u0063onnect"]`, &protocol.SyntaxError{Offset: 2, Reason: "reserved event name"}},

		{`3`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an ack is not an array"}},
		{`3{}`, &protocol.SyntaxError{Offset: 1, Reason: "payload of an ack is not an array"}},
		{`31"a"`, &protocol.SyntaxError{Offset: 2, Reason: "payload of an ack is not an array"}},

		{`0"x"`, &protocol.SyntaxError{Offset: 1, Reason: "payload of a connect is not an object"}},
		{`0[1]`, &protocol.SyntaxError{Offset: 1, Reason: "payload of a connect is not an object"}},
		{`0/chat,null`, &protocol.SyntaxError{Offset: 7, Reason: "payload of a connect is not an object"}},
		{`0/a,b,{"z":1}`, &protocol.SyntaxError{Offset: 4, Reason: "invalid JSON"}},
		{`1{"a":1}`, &protocol.SyntaxError{Offset: 1, Reason: "disconnect with a payload"}},
		{`4[1]`, &protocol.SyntaxError{Offset: 1, Reason: "payload of a connect error is neither object nor string"}},
		{`4null`, &protocol.SyntaxError{Offset: 1, Reason: "payload of a connect error is neither object nor string"}},

		{`5["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`5-["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`51["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`50-["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`5-1-["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`60-1[]`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`5`, &protocol.SyntaxError{Offset: 1, Reason: "bad attachment count"}},
		{`511-["a"]`, &protocol.LimitError{Limit: "attachments", Value: 11, Max: 10}},
		{`599999-`, &protocol.LimitError{Limit: "attachments", Value: 99, Max: 10}},
		{`5` + strings.Repeat("9", 100) + `-["a"]`, &protocol.LimitError{Limit: "attachments", Value: 99, Max: 10}},
		{`2["a",` + ones(10_001) + `]`, &protocol.LimitError{Limit: "arguments", Value: 10_001, Max: 10_000}},
		{`31[` + ones(500_000) + `]`, &protocol.LimitError{Limit: "arguments", Value: 10_001, Max: 10_000}},
		{`51-["a",{"_placeholder":true,"num":1}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"_placeholder":true,"num":-1}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"_placeholder":true,"num":0.5}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"_placeholder":true,"num":"0"}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"_placeholder":true,"num":null}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"_placeholder":true,"num":1e99}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"_placeholder":true}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",[{"b":{"num":1,"_placeholder":true}}]]`, &protocol.SyntaxError{Offset: 14, Reason: "placeholder without attachment"}},
		{`51-["a",{"num":0,"num":1,"_placeholder":true}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},
		{`51-["a",{"\u005fplaceholder":true,"n\u0075m":1}]`, &protocol.SyntaxError{Offset: 8, Reason: "placeholder without attachment"}},

		{`210000000000000000000["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "ack id longer than 19 digits"}},
		{`2` + strings.Repeat("9", 100_000) + `["a"]`, &protocol.SyntaxError{Offset: 1, Reason: "ack id longer than 19 digits"}},
		{`2["a",` + deep(64) + `]`, &protocol.LimitError{Limit: "json depth", Value: 65, Max: 64}},
		{`0` + strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65), &protocol.LimitError{Limit: "json depth", Value: 65, Max: 64}},
		{`2["a",` + strings.Repeat("[", 1_000_000), &protocol.LimitError{Limit: "json depth", Value: 65, Max: 64}},
		{`2["` + strings.Repeat("e", 129) + `"]`, &protocol.LimitError{Limit: "event name length", Value: 129, Max: 128}},
		{`0/` + strings.Repeat("n", 128), &protocol.LimitError{Limit: "namespace length", Value: 129, Max: 128}},
		{`0/n?` + strings.Repeat("q", 4096), &protocol.LimitError{Limit: "namespace query length", Value: 4097, Max: 4096}},
	}
	for _, tt := range tests {
		name := tt.text[:min(len(tt.text), 60)]
		_, done, err := decode(protocol.Limits{}, tt.text)
		if done {
			t.Errorf("%s: done", name)
		}
		if diff := cmp.Diff(tt.want, err); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// ones are n arguments.
func ones(n int) string { return strings.TrimSuffix(strings.Repeat("1,", n), ",") }

func TestDecodeAtTheLimits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`2["a",` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `]`,
		`0` + strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64),
		`2["a",` + ones(10_000) + `]`,
		`31[` + ones(10_000) + `]`,
		`2["` + strings.Repeat("e", 128) + `"]`,
		`2["` + strings.Repeat(`\u0065`, 128) + `"]`,
		`0/` + strings.Repeat("n", 127),
		`0/n?` + strings.Repeat("q", 4095),
	} {
		if _, done, err := decode(protocol.Limits{}, text); err != nil || !done {
			t.Errorf("%.60s: done %v, %v", text, done, err)
		}
	}
}

func TestLimitsAreSettable(t *testing.T) {
	t.Parallel()
	l := protocol.Limits{MaxAttachments: 1, MaxArguments: 3, MaxDepth: 2, MaxEvent: 3, MaxNamespace: 4, MaxQuery: 5, MaxPending: 40}
	tests := []struct{ text, limit string }{
		{`51-["a"]`, ""},
		{`52-["a"]`, "attachments"},
		{`2["a",1,2,3]`, ""},
		{`2["a",1,2,3,4]`, "arguments"},
		{`31[1,2,3]`, ""},
		{`31[1,2,3,4]`, "arguments"},
		{`2["a",[1]]`, ""},
		{`2["a",[[1]]]`, "json depth"},
		{`2["abc"]`, ""},
		{`2["abcd"]`, "event name length"},
		{`0/abc?1234,`, ""},
		{`0/abcd`, "namespace length"},
		{`0/abc?12345,`, "namespace query length"},
		{`51-["a","12345678901234567890123456789"]`, ""},
		{`51-["a","123456789012345678901234567890"]`, "unfinished packet"},
	}
	for _, tt := range tests {
		_, _, err := decode(l, tt.text)
		var got string
		if limit, ok := errors.AsType[*protocol.LimitError](err); ok {
			got = limit.Limit
		} else if err != nil {
			got = err.Error()
		}
		if got != tt.limit {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.limit)
		}
	}
}

// A namespace that was decoded lately is the same string, and never one of the
// input.
func TestDecodeKeepsNothingOfItsInput(t *testing.T) {
	t.Parallel()
	d := protocol.NewDecoder(protocol.Limits{})
	var p protocol.Packet
	for _, ns := range []string{"/a", "/b", "/a", "/c", "/a", "/b"} {
		data := []byte("2" + ns + `,["e"]`)
		if done, err := d.Text(data, &p); !done || err != nil {
			t.Fatal(done, err)
		}
		clear(data)
		if p.Namespace != ns {
			t.Errorf("namespace %q, want %q", p.Namespace, ns)
		}
	}
}

func TestDecodeReplacesThePacket(t *testing.T) {
	t.Parallel()
	d := protocol.NewDecoder(protocol.Limits{})
	var p protocol.Packet
	for _, text := range []string{`2/chat,7["a",1,2,3,4,5,6,7,8,9]`, `0{"a":1}`, `1`} {
		if done, err := d.Text([]byte(text), &p); !done || err != nil {
			t.Fatal(done, err)
		}
	}
	if diff := cmp.Diff(packet{Type: disconnect, Namespace: "/"}, flatten(&p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want string
	}{
		{&protocol.SyntaxError{Offset: 3, Reason: "invalid JSON"}, "protocol: invalid JSON at byte 3"},
		{&protocol.LimitError{Limit: "attachments", Value: 11, Max: 10}, "protocol: attachments 11 over the limit of 10"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
