package protocol_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/protocol"
)

// What EncodeEvent makes is an event of its namespace, and of no other one.
func TestCheckEventOfEncoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.SampledFrom([]string{"/", "/b", "/b/c", "/é"}).Draw(t, "namespace")
		args := rapid.SliceOfN(rapid.SampledFrom([]any{1, "text", "\x1e \" é", []byte{0, 255}, map[string]any{"a": []byte("b")}, nil}), 0, 4).Draw(t, "args")
		f, err := protocol.EncodeEvent(protocol.JSON, ns, "event", args)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CheckEvent(ns, protocol.Limits{}); err != nil {
			t.Fatalf("%q: %v", f.Text, err)
		}
		if err := f.WithTail([]byte(`"1.abcd"`)).CheckEvent(ns, protocol.Limits{}); err != nil {
			t.Fatalf("with a tail: %v", err)
		}
		for _, other := range []string{"/", "/b", "/b/c", "/é", "/x"} {
			if other != ns && f.CheckEvent(other, protocol.Limits{}) == nil {
				t.Fatalf("%q is one of %s", f.Text, other)
			}
		}
		if f.WithID(7).CheckEvent(ns, protocol.Limits{}) == nil {
			t.Fatal("one with an ack id")
		}
	})
}

func TestCheckEventRefuses(t *testing.T) {
	t.Parallel()
	for what, f := range map[string]protocol.Frames{
		"nothing":                       {},
		"another namespace":             {Text: []byte(`2/b,["x"]`)},
		"the root's, written":           {Text: []byte(`2/,["x"]`)},
		"a query":                       {Text: []byte(`2/a?q=1,["x"]`)},
		"a connect":                     {Text: []byte(`0/a,{"sid":"x"}`)},
		"a disconnect":                  {Text: []byte(`1/a,`)},
		"an ack":                        {Text: []byte(`3/a,1["x"]`)},
		"a connect error":               {Text: []byte(`4/a,{"message":"x"}`)},
		"an ack id":                     {Text: []byte(`2/a,1["x"]`)},
		"a reserved name":               {Text: []byte(`2/a,["disconnect"]`)},
		"no name":                       {Text: []byte(`2/a,[{}]`)},
		"an empty array":                {Text: []byte(`2/a,[]`)},
		"broken JSON":                   {Text: []byte(`2/a,["x",{]`)},
		"the end of a packet in a text": {Text: []byte("2/a,[\"x\",\"\x1e41\"]")},
		"another packet behind it":      {Text: []byte("2/a,[\"x\"]\x1e41")},
		"white space behind it":         {Text: []byte(`2/a,["x"] `)},
		"no UTF-8":                      {Text: []byte("2/a,[\"\xff\"]")},
		"attachments that do not come":  {Text: []byte(`51-/a,["x",{"_placeholder":true,"num":0}]`)},
		"attachments that nobody named": {Text: []byte(`2/a,["x"]`), Binary: [][]byte{{1}}},
		"a placeholder beyond them":     {Text: []byte(`51-/a,["x",{"_placeholder":true,"num":1}]`), Binary: [][]byte{{1}}},
		"too many of them":              {Text: []byte(`511-/a,["x"]`), Binary: make([][]byte, 11)},
		"too deep":                      {Text: []byte(`2/a,["x",` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `]`)},
	} {
		if err := f.CheckEvent("/a", protocol.Limits{}); err == nil {
			t.Errorf("%s: %q is an event of /a", what, f.Text)
		}
	}
	if err := (protocol.Frames{Text: []byte(`2/a,["x"]`)}).CheckEvent("/a", protocol.Limits{}); err != nil {
		t.Error(err)
	}
}
