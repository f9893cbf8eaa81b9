package protocol_test

import (
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
)

var codecs = map[string]protocol.Codec{"JSON": protocol.JSON, "StdCodec": protocol.StdCodec}

type inner struct {
	Blob []byte `json:"blob"`
	Omit []byte `json:"omit,omitempty"`
}

type document struct {
	Name  string            `json:"name"`
	Body  []byte            `json:"body"`
	More  [][]byte          `json:"more"`
	By    map[string][]byte `json:"by"`
	Ptr   *inner            `json:"ptr"`
	Arr   [2][]byte         `json:"arr"`
	When  time.Time         `json:"when"`
	Wait  time.Duration     `json:"wait"`
	inner                   // its exported fields are promoted
	hid   []byte
}

// Every []byte at any depth goes out of the text and comes back.
func TestBinaryAnywhere(t *testing.T) {
	t.Parallel()
	in := document{
		Name: "n", Body: []byte("body"), More: [][]byte{[]byte("m0"), {}, []byte("m2")},
		By: map[string][]byte{"k": []byte("by")}, Ptr: &inner{Blob: []byte("ptr")},
		Arr: [2][]byte{[]byte("a0"), []byte("a1")}, When: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		Wait: time.Second, inner: inner{Blob: []byte("emb"), Omit: []byte("omitted not")}, hid: []byte("hidden"),
	}
	const want = `{"name":"n","body":@0,"more":[@1,@2,@3],"by":{"k":@4},"ptr":{"blob":@5},"arr":[@6,@7],` +
		`"when":"2024-01-02T03:04:05Z","wait":1000000000,"blob":@8,"omit":@9}`
	for name, c := range codecs {
		text, bin, err := c.AppendValue([]byte("x"), [][]byte{[]byte("first")}, &in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range bin { // shorten, and count from the second
			text = []byte(strings.ReplaceAll(string(text), `{"_placeholder":true,"num":`+string('0'+rune(i%10))+`}`, "@"+string('0'+rune(i-1))))
		}
		got := strings.ReplaceAll(string(text), `{"_placeholder":true,"num":10}`, "@9")
		if diff := cmp.Diff("x"+want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		f, err := protocol.EncodeEvent(c, "/", "e", []any{in})
		if err != nil {
			t.Fatal(err)
		}
		var out document
		a, err := protocol.ParseArgs(f.Text[strings.Index(string(f.Text), "-")+1:], f.Binary)
		if err == nil {
			err = a.DecodeArg(c, 1, &out)
		}
		back := in
		back.hid = nil
		if diff := cmp.Diff(back, out, cmp.AllowUnexported(document{})); diff != "" || err != nil {
			t.Errorf("%s: %v, back (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestDecodeIntoAny(t *testing.T) {
	t.Parallel()
	const raw = ` { "a" : [ { "_placeholder" : true , "num" : 1 } , 1.5 , "\u00e9" , null , true , { } , [ ] ] , "b" : {"_placeholder":true,"num":0} } `
	bin := [][]byte{[]byte("zero"), []byte("one")}
	want := map[string]any{
		"a": []any{[]byte("one"), 1.5, "é", nil, true, map[string]any{}, []any{}},
		"b": []byte("zero"),
	}
	for name, c := range codecs {
		var v any
		if err := c.DecodeValue([]byte(raw), bin, &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(any(want), v); diff != "" {
			t.Errorf("%s: any (-want +got):\n%s", name, diff)
		}
		var m map[string]any
		if err := c.DecodeValue([]byte(raw), bin, &m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("%s: map (-want +got):\n%s", name, diff)
		}
		var l []any
		if err := c.DecodeValue([]byte(`[{"_placeholder":true,"num":0}]`), bin, &l); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]any{[]byte("zero")}, l); diff != "" {
			t.Errorf("%s: slice (-want +got):\n%s", name, diff)
		}
		if err := c.DecodeValue([]byte(`"text"`), bin, &l); err == nil {
			t.Errorf("%s: text into a slice", name)
		}
		if err := c.DecodeValue([]byte(`1e999`), bin, &v); err == nil {
			t.Errorf("%s: a number out of range gave %v", name, v)
		}
		var b []byte
		if err := c.DecodeValue([]byte(`null`), bin, &b); err != nil || b != nil {
			t.Errorf("%s: null into bytes: %q, %v", name, b, err)
		}
		if err := c.DecodeValue([]byte(`"aGk="`), bin, &b); err != nil || string(b) != "hi" {
			t.Errorf("%s: base64 into bytes: %q, %v", name, b, err)
		}
		if err := c.DecodeValue([]byte(`{"a":1}`), bin, &b); err == nil {
			t.Errorf("%s: an object into bytes: %q", name, b)
		}
	}
}

// In a packet without attachments a placeholder is what it looks like.
func TestLiteralPlaceholder(t *testing.T) {
	t.Parallel()
	for name, c := range codecs {
		var v any
		if err := c.DecodeValue([]byte(`{"_placeholder":true,"num":0}`), nil, &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(any(map[string]any{"_placeholder": true, "num": 0.0}), v); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecodeForeignPlaceholder(t *testing.T) {
	t.Parallel()
	bin := [][]byte{{1}}
	for name, c := range codecs {
		for _, raw := range []string{`{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":-1}`, `{"_placeholder":true}`} {
			var v any
			if err := c.DecodeValue([]byte(raw), bin, &v); !errors.Is(err, protocol.ErrAttachment) {
				t.Errorf("%s: %s into any: %v, %v", name, raw, v, err)
			}
			var b []byte
			if err := c.DecodeValue([]byte(raw), bin, &b); !errors.Is(err, protocol.ErrAttachment) {
				t.Errorf("%s: %s into bytes: %v, %v", name, raw, b, err)
			}
		}
	}
}

// Base64 for encoding/json grows with each use of an attachment; a packet must
// not make us allocate more than it brought.
func TestStdCodecInlinesOnce(t *testing.T) {
	t.Parallel()
	var v struct{ A, B []byte }
	const raw = `{"A":{"_placeholder":true,"num":0},"B":{"_placeholder":true,"num":0}}`
	err := protocol.StdCodec.DecodeValue([]byte(raw), [][]byte{{1}}, &v)
	if !errors.Is(err, protocol.ErrAttachment) {
		t.Errorf("got %v, %v", v, err)
	}
	if err := protocol.JSON.DecodeValue([]byte(raw), [][]byte{{1}}, &v); err != nil || &v.A[0] != &v.B[0] {
		t.Errorf("the default codec refers twice to one attachment: %v", err)
	}
}

func TestRawArgumentsKeepTheirDigits(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`9007199254740993`, `1.50`, `1e999`, `"\ud800"`, `"\/\u0041"`, `{"a":1,"a":2}`, `[ 1 , 2 ]`, `"<>&"`,
	} {
		for name, v := range map[string]any{
			"jsontext.Value":  jsontext.Value(raw),
			"json.RawMessage": stdjson.RawMessage(" " + raw + "\n"),
		} {
			for codec, c := range codecs {
				if codec == "StdCodec" && name == "jsontext.Value" {
					continue // not a type of encoding/json
				}
				f, err := protocol.EncodeEvent(c, "/", "e", []any{v})
				if err != nil {
					t.Errorf("%s: %s %s: %v", codec, name, raw, err)
				} else if got, want := string(f.Text), `2["e",`+raw+`]`; got != want {
					t.Errorf("%s: %s: got %s, want %s", codec, name, got, want)
				}
			}
		}
	}
	// Inside another value too, but for white space.
	type wrap struct{ V jsontext.Value }
	f, err := protocol.EncodeEvent(protocol.JSON, "/", "e", []any{wrap{jsontext.Value(`[9007199254740993,"\ud800",{"a":1,"a":2}]`)}})
	if got, want := string(f.Text), `2["e",{"V":[9007199254740993,"\ud800",{"a":1,"a":2}]}]`; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	for _, raw := range []string{``, `{`, `1 2`, `nul`, `'a'`} {
		for name, c := range codecs {
			if f, err := protocol.EncodeEvent(c, "/", "e", []any{stdjson.RawMessage(raw)}); err == nil {
				t.Errorf("%s: %q gave %s", name, raw, f.Text)
			}
		}
	}
	for name, c := range codecs {
		f, err := protocol.EncodeEvent(c, "/", "e", []any{stdjson.RawMessage(nil)})
		if got, want := string(f.Text), `2["e",null]`; got != want || err != nil {
			t.Errorf("%s: nil raw JSON: got %s, %v", name, got, err)
		}
	}
}

// What JavaScript sends and strict JSON readers refuse.
func TestDecodeLiberties(t *testing.T) {
	t.Parallel()
	for name, c := range codecs {
		for _, bin := range [][][]byte{nil, {{1}}} {
			var s string
			if err := c.DecodeValue([]byte(`"a\ud800b"`), bin, &s); err != nil || s != "a\uFFFDb" {
				t.Errorf("%s: lone surrogate: %q, %v", name, s, err)
			}
			var m map[string]int
			if err := c.DecodeValue([]byte(`{"a":1,"a":2}`), bin, &m); err != nil || m["a"] != 2 {
				t.Errorf("%s: duplicate name: %v, %v", name, m, err)
			}
			var v any
			if err := c.DecodeValue([]byte(`{"a":"\udfff","a":2}`), bin, &v); err != nil {
				t.Errorf("%s: into any: %v", name, err)
			}
			if diff := cmp.Diff(any(map[string]any{"a": 2.0}), v); diff != "" {
				t.Errorf("%s: into any (-want +got):\n%s", name, diff)
			}
			var n int64
			if err := c.DecodeValue([]byte(`9007199254740993`), bin, &n); err != nil || n != 9007199254740993 {
				t.Errorf("%s: 2^53+1: %d, %v", name, n, err)
			}
			if err := c.DecodeValue([]byte(`{`), bin, &v); err == nil {
				t.Errorf("%s: broken JSON gave %v", name, v)
			}
		}
	}
}

// A value that contains itself is an error of encoding/json, not a stack
// overflow of ours.
func TestStdCodecCycle(t *testing.T) {
	t.Parallel()
	m := map[string]any{"b": []byte{1}}
	m["m"] = m
	if f, err := protocol.EncodeEvent(protocol.StdCodec, "/", "e", []any{m}); err == nil {
		t.Errorf("got %d bytes", len(f.Text))
	}
}

// Strings that look like the marks of StdCodec stay strings, and the value
// passed in is left alone.
func TestStdCodecLeavesTheValueAlone(t *testing.T) {
	t.Parallel()
	in := map[string]any{"a": []any{[]byte("x"), "eA=="}, "b": &inner{Blob: []byte("y"), Omit: []byte{}}}
	want := map[string]any{"a": []any{[]byte("x"), "eA=="}, "b": &inner{Blob: []byte("y"), Omit: []byte{}}}
	f, err := protocol.EncodeEvent(protocol.StdCodec, "/", "e", []any{in})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text := `52-["e",{"a":[{"_placeholder":true,"num":0},"eA=="],"b":{"blob":{"_placeholder":true,"num":1}}}]`
	if diff := cmp.Diff(frames{text, []string{"x", "y"}}, spell(f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
