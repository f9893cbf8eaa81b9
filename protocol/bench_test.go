package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siod-io/siod/protocol"
)

type benchMessage struct {
	User string   `json:"user"`
	Text string   `json:"text"`
	N    int      `json:"n"`
	Tags []string `json:"tags"`
	OK   bool     `json:"ok"`
}

var benchTexts = []struct{ name, text string }{
	{"small", `2["message",{"user":"alice","text":"hello there, how are you?","n":42,"tags":["a","b"],"ok":true}]`},
	{"namespace", `2/chat,12["message","hello"]`},
	{"batch", `2["batch",[` + strings.TrimSuffix(strings.Repeat(`{"user":"alice","text":"hello there, how are you?","n":42,"tags":["a","b"],"ok":true},`, 12), ",") + `]]`},
	{"long text", `2["text","` + strings.Repeat("a long text without any escape ", 2000) + `"]`},
}

func BenchmarkDecode(b *testing.B) {
	for _, bt := range benchTexts {
		b.Run(bt.name, func(b *testing.B) {
			data := []byte(bt.text)
			d := protocol.NewDecoder(protocol.Limits{})
			var p protocol.Packet
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Text(data, &p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a node looks at in each event that comes from elsewhere.
func BenchmarkCheckEvent(b *testing.B) {
	for _, bt := range benchTexts {
		if bt.name == "namespace" {
			continue // it has an ack id
		}
		b.Run(bt.name, func(b *testing.B) {
			f := protocol.Frames{Text: []byte(bt.text)}
			b.SetBytes(int64(len(f.Text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f.CheckEvent("/", protocol.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeBinary(b *testing.B) {
	d := protocol.NewDecoder(protocol.Limits{})
	text := []byte(`51-["a",{"_placeholder":true,"num":0}]`)
	blob := make([]byte, 100)
	var p protocol.Packet
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Text(text, &p); err != nil {
			b.Fatal(err)
		}
		if _, _, err := d.Binary(blob); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeArgs(b *testing.B) {
	p, _, err := decode(protocol.Limits{}, benchTexts[0].text)
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range codecs {
		b.Run("struct/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var m benchMessage
				if err := p.Args.DecodeArg(c, 0, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("any/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var v any
				if err := p.Args.DecodeArg(c, 0, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeEvent(b *testing.B) {
	m := benchMessage{User: "alice", Text: "hello there, how are you?", N: 42, Tags: []string{"a", "b"}, OK: true}
	for name, v := range map[string]any{
		"struct": &m, "text": "hello", "blob": make([]byte, 100), "map": map[string]any{"user": "alice", "n": 42},
	} {
		for codec, c := range codecs {
			b.Run(fmt.Sprintf("%s/%s", name, codec), func(b *testing.B) {
				args := []any{v}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := protocol.EncodeEvent(c, "/chat", "message", args); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
