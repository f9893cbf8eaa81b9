package jsonscan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// valid reports whether data is one JSON text, with white space around it.
func valid(data []byte, depth int) bool {
	s := jsonscan.Scanner{Data: data, MaxDepth: depth, Attachments: -1}
	end := s.Value(s.Space(0), 0)
	return end >= 0 && s.Space(end) == len(data)
}

func TestValid(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`0`, `-0`, `1`, `10`, `-1.5`, `0.0`, `1e9`, `1E+9`, `1e-9`, `1.5e300`, `1e999`, `9007199254740993`,
		`true`, `false`, `null`, ` null `, "\t[\n]\r",
		`""`, `"a"`, `"\"\\\/\b\f\n\r\t"`, `"\u0000\uFFFF\ud800"`, `"é€😀"`, "\"\x7f\"", "\"\xff\"",
		`"1234567"`, `"12345678"`, `"123456789"`, `"1234567\n"`, `"12345678\n12345678\u0041"`,
		`[]`, `[1]`, `[ 1 , [ 2 ] ]`, `{}`, `{"a":1}`, `{ "a" : { "b" : [ ] } , "a" : null }`,
	} {
		if !valid([]byte(text), 64) {
			t.Errorf("%q is not valid", text)
		}
	}
	for _, text := range []string{
		``, ` `, `,`, `]`, `}`, `:`, `a`, `'a'`,
		`00`, `01`, `-`, `+1`, `.5`, `1.`, `1.e5`, `1e`, `1e+`, `--1`, `1-`, `0x1`, `NaN`, `Infinity`, `-Infinity`,
		`tru`, `True`, `truee`, `nul`, `falsey`, `null null`,
		`"`, `"a`, `"\"`, `"\x"`, `"\u12"`, `"\u123g"`, `"\u123`, "\"\n\"", "\"\x00\"", "\"\x1f\"", "\"12345678\x1f\"", `"\`,
		`[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[}`, `[1}`,
		`{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{1:1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{]`, `{"a":1]`, `{,}`,
		`[] []`, `{}x`,
	} {
		if valid([]byte(text), 64) {
			t.Errorf("%q is valid", text)
		}
	}
}

// Each byte that a string may not contain is found wherever it stands in or
// after a group of eight.
func TestStringBytes(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for pos := range 20 {
			text := []byte(`"` + strings.Repeat("x", 20) + `"`)
			text[1+pos] = byte(c)
			s := jsonscan.Scanner{Data: text, MaxDepth: 1, Attachments: -1}
			got := s.String(0)
			want := len(text)
			switch {
			case c < 0x20 || c == '\\': // \x is no escape
				want = -1
			case c == '"':
				want = pos + 2
			}
			if got != want {
				t.Errorf("%#x at %d: end %d, want %d", c, pos, got, want)
			}
		}
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		depth int
	}{
		{`1`, 0}, {`[]`, 1}, {`{}`, 1}, {`[[],{"a":[]}]`, 3}, {strings.Repeat("[", 500) + strings.Repeat("]", 500), 500},
	} {
		if !valid([]byte(tt.text), tt.depth) {
			t.Errorf("%.40s is deeper than %d", tt.text, tt.depth)
		}
		if tt.depth == 0 {
			continue
		}
		s := jsonscan.Scanner{Data: []byte(tt.text), MaxDepth: tt.depth - 1, Attachments: -1}
		if end := s.Value(0, 0); end != -1 || s.Fail != jsonscan.Depth {
			t.Errorf("%.40s in %d: end %d, failure %d", tt.text, tt.depth-1, end, s.Fail)
		}
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		is    bool
		index int
	}{
		{`{"_placeholder":true,"num":3}`, true, 3},
		{` { "num" : 3 , "x" : [1,{"num":9}] , "_placeholder" : true } `, true, 3},
		{`{"\u005fplaceholder":true,"nu\u006D":3}`, true, 3},
		{`{"_placeholder":true,"num":3e0,"num":4.0}`, true, 4},
		{`{"_placeholder":true,"num":"3"}`, true, -1},
		{`{"_placeholder":true,"num":3.5}`, true, -1},
		{`{"_placeholder":true,"num":-1}`, true, -1},
		{`{"_placeholder":true,"num":1e400}`, true, -1},
		{`{"_placeholder":true,"num":4294967296}`, true, -1},
		{`{"_placeholder":true,"num":3,"num":true}`, true, -1},
		{`{"_placeholder":true}`, true, -1},
		{`{"_placeholder":false,"num":3}`, false, 3},
		{`{"_placeholder":true,"_placeholder":1,"num":3}`, false, 3},
		{`{"_placeholder" :1}`, false, -1},
		{`{"_PLACEHOLDER":true}`, false, -1},
		{`{}`, false, -1}, {`[]`, false, -1}, {`"_placeholder"`, false, -1}, {``, false, -1},
	} {
		r := jsonscan.ParseRef([]byte(tt.text))
		if r.Is() != tt.is || r.Index() != tt.index {
			t.Errorf("%s: %v, %d", tt.text, r.Is(), r.Index())
		}
		if got, want := r.Valid(4), tt.index == 3; tt.is && got != want && tt.index < 4 {
			t.Errorf("%s: valid among 4: %v", tt.text, got)
		}
	}
	for _, n := range []int{0, 9, 123456} {
		r := jsonscan.ParseRef(jsonscan.AppendRef(nil, n))
		if !r.Is() || r.Index() != n || r.Valid(n) || !r.Valid(n+1) {
			t.Errorf("%d came back as %v, %d", n, r.Is(), r.Index())
		}
	}
}

// Texts that are nearly JSON: the scanner and encoding/json agree.
func TestAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"[", "]", "{", "}", ",", ":", `"`, `"a"`, `"a":`, "1", "0", "-", ".", "e", "+", "true", "null", "fals",
		" ", "\n", `\`, `\u00`, "é", "\xff", "\x00", `"_placeholder":true`, `"num":0`, "12345678",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), ""))
		if got, want := valid(text, 64), json.Valid(text); got != want {
			t.Fatalf("%q: %v, encoding/json says %v", text, got, want)
		}
	})
}

func FuzzValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		got := valid(data, jsonscan.HardMaxDepth)
		if want := json.Valid(data); got != want {
			t.Fatalf("%q: %v, encoding/json says %v", data, got, want)
		}
		for _, attachments := range []int{0, 2} {
			s := jsonscan.Scanner{Data: data, MaxDepth: 8, Attachments: attachments}
			end := s.Value(s.Space(0), 0)
			if (end < 0) != (s.Fail != jsonscan.None) || end > len(data) || s.FailAt < 0 || s.FailAt > len(data) {
				t.Fatalf("%q: end %d, failure %d at %d", data, end, s.Fail, s.FailAt)
			}
		}
		jsonscan.ParseRef(data)
	})
}

func TestScanAllocatesNothing(t *testing.T) {
	data := []byte(`[{"a":[1,2.5e3,"text that is longer \u0041"],"_placeholder":true,"n\u0075m":0},true,null]`)
	if n := testing.AllocsPerRun(100, func() {
		s := jsonscan.Scanner{Data: data, MaxDepth: 64, Attachments: 1}
		if s.Value(0, 0) != len(data) {
			t.Error("not valid")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
