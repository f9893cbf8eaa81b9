package protocol_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
)

// frames spells protocol.Frames in a table.
type frames struct {
	Text string
	Bin  []string
}

func spell(f protocol.Frames) frames {
	s := frames{Text: string(f.Text)}
	for _, b := range f.Binary {
		s.Bin = append(s.Bin, string(b))
	}
	return s
}

func TestEncodeEvent(t *testing.T) {
	t.Parallel()
	type point struct {
		X int    `json:"x"`
		S string `json:"s,omitempty"`
	}
	ten := make([]any, 11)
	for i := range ten {
		ten[i] = []byte{byte('a' + i)}
	}
	tests := []struct {
		ns, event string
		args      []any
		want      frames
	}{
		{"/", "a", nil, frames{Text: `2["a"]`}},
		{"", "a", nil, frames{Text: `2["a"]`}},
		{"/", "a", []any{1}, frames{Text: `2["a",1]`}},
		{"/chat", "a", []any{"x", nil, true, false}, frames{Text: `2/chat,["a","x",null,true,false]`}},
		{"/", `q"\` + "\n", []any{point{X: 1}, &point{S: "<é\u2028>"}}, frames{Text: `2["q\"\\\n",{"x":1},{"x":0,"s":"<é` + "\u2028" + `>"}]`}},
		{"/", "a", []any{int64(math.MinInt64), uint64(math.MaxUint64), 1.5, 1e21, float32(0.5)}, frames{Text: `2["a",-9223372036854775808,18446744073709551615,1.5,1e+21,0.5]`}},
		{"/", "bad\xff", []any{"\xc3("}, frames{Text: `2["bad` + "\uFFFD" + `","` + "\uFFFD" + `("]`}},
		{
			"/", "a",
			[]any{[]byte{1}, map[string]any{"b": []byte{2}}},
			frames{`52-["a",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]`, []string{"\x01", "\x02"}},
		},
		{"/chat", "a", []any{[]byte{}}, frames{`51-/chat,["a",{"_placeholder":true,"num":0}]`, []string{""}}},
		{"/", "a", []any{[]byte(nil)}, frames{Text: `2["a",null]`}},
		{
			"/", "a", ten,
			frames{
				`511-["a"` + strings.Join(func() (s []string) {
					for _, n := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
						s = append(s, `,{"_placeholder":true,"num":`+n+`}`)
					}
					return s
				}(), "") + `]`,
				strings.Split("abcdefghijk", ""),
			},
		},
	}
	for _, tt := range tests {
		f, err := protocol.EncodeEvent(protocol.JSON, tt.ns, tt.event, tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.want.Text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, spell(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.want.Text, diff)
		}
	}
}

func TestEncodeAck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ns   string
		id   uint64
		args []any
		want frames
	}{
		{"/", 12, nil, frames{Text: `312[]`}},
		{"/chat", 12, []any{"x"}, frames{Text: `3/chat,12["x"]`}},
		{"/chat", 12, []any{[]byte{1}}, frames{`61-/chat,12[{"_placeholder":true,"num":0}]`, []string{"\x01"}}},
		{"/", math.MaxUint64, []any{1, 2}, frames{Text: `318446744073709551615[1,2]`}},
	}
	for _, tt := range tests {
		f, err := protocol.EncodeAck(protocol.JSON, tt.ns, tt.id, tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.want.Text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, spell(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.want.Text, diff)
		}
	}
}

// A relay keeps the text of arguments digit for digit, also where Go would
// write it in another way.
func TestEncodeRawArguments(t *testing.T) {
	t.Parallel()
	const text = `51-/a,["x", 9007199254740993 ,1.50,"\ud800","\/",{"a":1,"a":2},{"_placeholder":true,"num":0}]`
	p, done, err := decode(protocol.Limits{}, text, "bin")
	if err != nil || !done {
		t.Fatal(done, err)
	}
	f, err := protocol.EncodeEventArgs("/b", "y", p.Args)
	if err != nil {
		t.Fatal(err)
	}
	want := frames{`51-/b,["y",9007199254740993,1.50,"\ud800","\/",{"a":1,"a":2},{"_placeholder":true,"num":0}]`, []string{"bin"}}
	if diff := cmp.Diff(want, spell(f)); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	f, err = protocol.EncodeAckArgs("/b", 7, p.Args)
	if err != nil {
		t.Fatal(err)
	}
	want.Text = `61-/b,7[9007199254740993,1.50,"\ud800","\/",{"a":1,"a":2},{"_placeholder":true,"num":0}]`
	if diff := cmp.Diff(want, spell(f)); diff != "" {
		t.Errorf("ack (-want +got):\n%s", diff)
	}
	f, err = protocol.EncodeEventArgs("/", "none", protocol.Args{})
	if diff := cmp.Diff(frames{Text: `2["none"]`}, spell(f)); diff != "" || err != nil {
		t.Errorf("no arguments: %v (-want +got):\n%s", err, diff)
	}
}

func TestEncodeErrors(t *testing.T) {
	t.Parallel()
	for _, v := range []any{math.NaN(), math.Inf(1), map[string]any{"a": []float64{math.Inf(-1)}}, make(chan int), func() {}} {
		for name, c := range map[string]protocol.Codec{"JSON": protocol.JSON, "StdCodec": protocol.StdCodec} {
			f, err := protocol.EncodeEvent(c, "/", "a", []any{v})
			if err == nil {
				t.Errorf("%s: %T gave %s", name, v, f.Text)
			}
			if _, err = protocol.EncodeAck(c, "/", 1, []any{v}); err == nil {
				t.Errorf("%s: %T in an ack gave no error", name, v)
			}
		}
	}
	for _, ns := range []string{"chat", "/a,b", ","} {
		_, err := protocol.EncodeEvent(protocol.JSON, ns, "a", nil)
		if !errors.Is(err, protocol.ErrNamespace) {
			t.Errorf("namespace %q: %v", ns, err)
		}
	}
}

// Frames must not change when the caller reuses what it encoded.
func TestEncodeCopiesBinary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]protocol.Codec{"JSON": protocol.JSON, "StdCodec": protocol.StdCodec} {
		buf := []byte("abc")
		f, err := protocol.EncodeEvent(c, "/", "e", []any{buf, []any{buf}})
		if err != nil {
			t.Fatal(err)
		}
		clear(buf)
		want := frames{`52-["e",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]`, []string{"abc", "abc"}}
		if diff := cmp.Diff(want, spell(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAppendPackets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		got  []byte
		want string
	}{
		{protocol.AppendConnect(nil, "/", nil), `0`},
		{protocol.AppendConnect(nil, "", nil), `0`},
		{protocol.AppendConnect([]byte("4"), "/", []byte(`{"sid":"x"}`)), `40{"sid":"x"}`},
		{protocol.AppendConnect(nil, "/chat", nil), `0/chat,`},
		{protocol.AppendConnect(nil, "/chat", []byte(`{"a":1}`)), `0/chat,{"a":1}`},
		{protocol.AppendDisconnect(nil, "/"), `1`},
		{protocol.AppendDisconnect(nil, "/chat"), `1/chat,`},
		{protocol.AppendConnectError(nil, "/chat", []byte(`{"message":"m"}`)), `4/chat,{"message":"m"}`},
		{protocol.AppendConnectError(nil, "/", []byte(`"Invalid namespace"`)), `4"Invalid namespace"`},
	}
	for _, tt := range tests {
		if string(tt.got) != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestFramesVariants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text         string
		id, tail     string
		endsInString bool
	}{
		{`2["a"]`, `27["a"]`, `2["a",null]`, true},
		{`2["a",1]`, `27["a",1]`, `2["a",1,null]`, false},
		{`2/chat,["a","[,7-"]`, `2/chat,7["a","[,7-"]`, `2/chat,["a","[,7-",null]`, true},
		{`52-["a",{"_placeholder":true,"num":0}]`, `52-7["a",{"_placeholder":true,"num":0}]`, `52-["a",{"_placeholder":true,"num":0},null]`, false},
		{`51-/chat,["a"]`, `51-/chat,7["a"]`, `51-/chat,["a",null]`, true},
		{`2/a?b=[1],["a"]`, `2/a?b=[1],7["a"]`, `2/a?b=[1],["a",null]`, true},
		{`3[]`, `37[]`, `3[null]`, false},
	}
	for _, tt := range tests {
		bin := [][]byte{{1}}
		f := protocol.Frames{Text: []byte(tt.text), Binary: bin}
		if diff := cmp.Diff(frames{tt.id, []string{"\x01"}}, spell(f.WithID(7))); diff != "" {
			t.Errorf("%s with id (-want +got):\n%s", tt.text, diff)
		}
		if diff := cmp.Diff(frames{tt.tail, []string{"\x01"}}, spell(f.WithTail([]byte("null")))); diff != "" {
			t.Errorf("%s with tail (-want +got):\n%s", tt.text, diff)
		}
		if got := f.EndsInString(); got != tt.endsInString {
			t.Errorf("%s ends in string: %v", tt.text, got)
		}
		if got, want := f.Size(), len(tt.text)+1; got != want {
			t.Errorf("%s: size %d, want %d", tt.text, got, want)
		}
		if string(f.Text) != tt.text {
			t.Errorf("%s became %s", tt.text, f.Text)
		}
		c := f.Clone()
		clear(f.Text)
		bin[0][0] = 2
		if diff := cmp.Diff(frames{tt.text, []string{"\x01"}}, spell(c)); diff != "" {
			t.Errorf("%s: clone (-want +got):\n%s", tt.text, diff)
		}
	}
}

// Frames may come from a peer; whatever they hold, nothing panics.
func TestFramesOfAnything(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "2", "5", "51", "51-", "2/", "2/a", "2/a,", "[", "]", "2]", "x"} {
		f := protocol.Frames{Text: []byte(text)}
		f.WithID(1)
		f.WithTail([]byte("null"))
		f.EndsInString()
		f.Size()
	}
}

func TestNamesAndQueries(t *testing.T) {
	t.Parallel()
	for ns, want := range map[string][2]string{
		"/":               {"/", ""},
		"/chat":           {"/chat", ""},
		"/chat?token=abc": {"/chat", "token=abc"},
		"/chat?":          {"/chat", ""},
		"/chat?a=1?b=2":   {"/chat", "a=1?b=2"},
	} {
		if name, query := protocol.SplitQuery(ns); [2]string{name, query} != want {
			t.Errorf("%s: %q, %q", ns, name, query)
		}
	}
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if !protocol.IsReserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, name := range []string{"", "error", "message", "Connect", "connect "} {
		if protocol.IsReserved(name) {
			t.Errorf("%q is reserved", name)
		}
	}
	names := []string{"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK", "UNKNOWN"}
	for i, want := range names {
		if got := protocol.Type(i).String(); got != want {
			t.Errorf("type %d is %s, want %s", i, got, want)
		}
	}
}
