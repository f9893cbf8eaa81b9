package protocol_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
)

func rawArgs(a protocol.Args) []string {
	out := []string{}
	for i := range a.Len() {
		out = append(out, string(a.Raw(i)))
	}
	return out
}

// numbers returns a JSON array of 0 to n-1 and its elements.
func numbers(n int) (array string, elements []string) {
	elements = []string{}
	for i := range n {
		elements = append(elements, fmt.Sprint(i))
	}
	return "[" + strings.Join(elements, " , ") + " ]", elements
}

func TestParseArgs(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		array, want := numbers(n)
		a, err := protocol.ParseArgs([]byte(array), nil)
		if err != nil {
			t.Errorf("%s: %v", array, err)
			continue
		}
		if diff := cmp.Diff(want, rawArgs(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", array, diff)
		}
	}
	bin := [][]byte{{1}}
	for _, tt := range []struct {
		json string
		bin  [][]byte
		ok   bool
	}{
		{`[]`, nil, true},
		{`[] `, nil, true},
		{` []`, nil, false},
		{`[1`, nil, false},
		{`[1]]`, nil, false},
		{`{}`, nil, false},
		{``, nil, false},
		{`[{"_placeholder":true,"num":0}]`, nil, true},
		{`[{"_placeholder":true,"num":0}]`, bin, true},
		{`[{"_placeholder":true,"num":1}]`, bin, false},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), nil, true},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), nil, false},
	} {
		if _, err := protocol.ParseArgs([]byte(tt.json), tt.bin); (err == nil) != tt.ok {
			t.Errorf("%.40s with %d attachments: %v", tt.json, len(tt.bin), err)
		}
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	if _, err := (protocol.Limits{MaxDepth: 100}).ParseArgs([]byte(deep), nil); err != nil {
		t.Errorf("100 deep of 100: %v", err)
	}
}

func TestCloneIsIndependent(t *testing.T) {
	t.Parallel()
	for n := range 12 {
		array, want := numbers(n)
		text := []byte(`51-["name",` + strings.TrimPrefix(array, "["))
		if n == 0 {
			text = []byte(`51-["name"]`)
		}
		p, done, err := decode(protocol.Limits{}, string(text), "bin")
		if !done || err != nil {
			t.Fatal(done, err)
		}
		c := p.Args.Clone()
		// Overwrite the text of the original, by its last argument.
		for i := range p.Args.Len() {
			clear(p.Args.Raw(i))
		}
		if diff := cmp.Diff(want, rawArgs(c)); diff != "" {
			t.Errorf("%d arguments (-want +got):\n%s", n, diff)
		}
		if diff := cmp.Diff([][]byte{[]byte("bin")}, c.Attachments()); diff != "" {
			t.Errorf("%d arguments: attachments (-want +got):\n%s", n, diff)
		}
	}
}

// A value of Args must survive that its packet is used again.
func TestArgsAreValues(t *testing.T) {
	t.Parallel()
	d := protocol.NewDecoder(protocol.Limits{})
	var p protocol.Packet
	first, want := numbers(12)
	if done, err := d.Text([]byte(`3`+first), &p); !done || err != nil {
		t.Fatal(done, err)
	}
	kept := p.Args
	if done, err := d.Text([]byte(`3["a","b","c","d","e","f","g","h","i","j","k","l"]`), &p); !done || err != nil {
		t.Fatal(done, err)
	}
	if diff := cmp.Diff(want, rawArgs(kept)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeArguments(t *testing.T) {
	t.Parallel()
	a, err := protocol.ParseArgs([]byte(`["x",2,{"b":{"_placeholder":true,"num":0}}]`), [][]byte{[]byte("bin")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]protocol.Codec{"JSON": protocol.JSON, "StdCodec": protocol.StdCodec} {
		var s string
		var n int
		var v struct {
			B []byte `json:"b"`
		}
		if err := a.Decode(c, &s, &n, &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s != "x" || n != 2 || string(v.B) != "bin" {
			t.Errorf("%s: got %q, %d, %q", name, s, n, v.B)
		}
		if err := a.Decode(c, &s); err != nil {
			t.Errorf("%s: fewer destinations: %v", name, err)
		}
		s, n = "", 0
		err := a.Decode(c, &s, &n, &v, &s)
		if !errors.Is(err, protocol.ErrArguments) || s != "x" || n != 2 {
			t.Errorf("%s: more destinations: %q, %d, %v", name, s, n, err)
		}
		if err := a.DecodeArg(c, -1, &s); !errors.Is(err, protocol.ErrArguments) {
			t.Errorf("%s: argument -1: %v", name, err)
		}
		if err := a.DecodeArg(c, 0, &n); err == nil || !strings.Contains(err.Error(), "argument 1") {
			t.Errorf("%s: text into a number: %v", name, err)
		}
	}
	if got, want := a.Size(), len(`"x",2,{"b":{"_placeholder":true,"num":0}},`)+3; got != want {
		t.Errorf("size %d, want %d", got, want)
	}
}

// What is held for arguments is what is in memory, and not only what they say.
func TestHeld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		bin  []string
		want int
	}{
		{`2["a"]`, nil, 6},
		{`2["a",1,2,3,4,5,6,7,8]  `, nil, 24},
		{`51-["a",{"_placeholder":true,"num":0}]`, []string{"12345"}, 38 + 5},
	} {
		p, done, err := decode(protocol.Limits{}, tt.text, tt.bin...)
		if !done || err != nil {
			t.Fatal(done, err)
		}
		if got := p.Args.Held(); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.text, got, tt.want)
		}
	}
	text := `2["a",` + ones(1008) + `]`
	p, _, err := decode(protocol.Limits{}, text)
	if err != nil {
		t.Fatal(err)
	}
	if got, least := p.Args.Held(), len(text)+8*1000; got < least || got > 2*least {
		t.Errorf("%d bytes, want %d or somewhat more", got, least)
	}
}

func TestRawOutOfRange(t *testing.T) {
	t.Parallel()
	a, err := protocol.ParseArgs([]byte(`[1]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{-1, 1, 100} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("argument %d exists", i)
				}
			}()
			a.Raw(i)
		}()
	}
}
