//go:build !race

package protocol_test

import (
	"runtime"
	"testing"

	"github.com/siod-io/siod/protocol"
)

// The race detector drops pooled values at random, so figures of allocation
// are taken without it.

type message struct {
	User string   `json:"user"`
	Text string   `json:"text"`
	N    int      `json:"n"`
	Tags []string `json:"tags"`
	OK   bool     `json:"ok"`
}

var hello = message{User: "alice", Text: "hello there", N: 42, Tags: []string{"a", "b"}, OK: true}

func TestAllocsDecoding(t *testing.T) {
	for _, text := range []string{
		`2["a"]`,
		`2["message",{"user":"alice","text":"hello \u00e9","n":42,"tags":["a","b"]},1,2,3,4,5,6,7]`,
		`2/chat,12["a",1]`,
		`312["x"]`,
		`1/chat,`,
		`0{"token":"x"}`,
	} {
		d := protocol.NewDecoder(protocol.Limits{})
		var p protocol.Packet
		data := []byte(text)
		if n := testing.AllocsPerRun(200, func() {
			if done, err := d.Text(data, &p); !done || err != nil {
				t.Error(done, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestAllocsEncoding(t *testing.T) {
	args := []any{hello}
	ptr := []any{&hello}
	text := []any{"hello", 1, true, nil}
	a, err := protocol.ParseArgs([]byte(`["hello",1]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := protocol.EncodeEvent(protocol.JSON, "/", "e", nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		max  float64
		run  func() error
	}{
		{"text", 1, func() error { _, err := protocol.EncodeEvent(protocol.JSON, "/chat", "message", text); return err }},
		{"struct", 2, func() error { _, err := protocol.EncodeEvent(protocol.JSON, "/chat", "message", args); return err }},
		{"pointer", 1, func() error { _, err := protocol.EncodeEvent(protocol.JSON, "/chat", "message", ptr); return err }},
		{"ack", 1, func() error { _, err := protocol.EncodeAck(protocol.JSON, "/chat", 12, text); return err }},
		{"raw", 1, func() error { _, err := protocol.EncodeEventArgs("/chat", "message", a); return err }},
		{"with id", 1, func() error { f.WithID(12345); return nil }},
		{"with tail", 1, func() error { f.WithTail([]byte("null")); return nil }},
	}
	for _, tt := range tests {
		if n := testing.AllocsPerRun(200, func() {
			if err := tt.run(); err != nil {
				t.Error(err)
			}
		}); n > tt.max {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, n, tt.max)
		}
	}
}

func TestAllocsDecodingArguments(t *testing.T) {
	a, err := protocol.ParseArgs([]byte(`[{"user":"alice","text":"hello","n":42,"tags":["a","b"],"ok":true},"x",7]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var m message
	var s string
	var n int
	// Two for the texts of the struct, two for its tags with their slice, one
	// for s; the slice of destinations stays on the stack or is one more.
	if got := testing.AllocsPerRun(200, func() {
		if err := a.Decode(protocol.JSON, &m, &s, &n); err != nil {
			t.Error(err)
		}
	}); got > 6 {
		t.Errorf("%v allocations", got)
	}
	if got := testing.AllocsPerRun(200, func() {
		if a.Len() != 3 || len(a.Raw(2)) != 1 || a.Size() == 0 || a.Held() == 0 {
			t.Error("wrong arguments")
		}
	}); got != 0 {
		t.Errorf("looking at raw arguments: %v allocations", got)
	}
}

// What a packet claims must not be allocated: the worst of a megabyte costs no
// more than a few times that, even if it may have any number of arguments.
func TestAllocsOfHostilePackets(t *testing.T) {
	const size = 1 << 20
	for name, unit := range map[string]string{
		"many arguments":    `1,`,
		"many placeholders": `{"_placeholder":true,"num":0},`,
		"deep and again":    `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],`,
		"many escapes":      `"\u0041\u0041\u0041\u0041",`,
	} {
		data := []byte(`51-["a",`)
		for len(data) < size {
			data = append(data, unit...)
		}
		data = append(data, `1]`...)
		d := protocol.NewDecoder(protocol.Limits{MaxArguments: size})
		var p protocol.Packet
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := d.Text(data, &p); err != nil {
			t.Fatal(err)
		}
		if _, done, err := d.Binary(nil); !done || err != nil {
			t.Fatal(done, err)
		}
		runtime.ReadMemStats(&after)
		bytes, allocs := after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
		if bytes > 24*size || allocs > 100 {
			t.Errorf("%s: %d bytes in %d allocations", name, bytes, allocs)
		}
	}
}

func TestAllocsCheckEvent(t *testing.T) {
	for ns, text := range map[string]string{
		"/":     `2["message",{"user":"alice","text":"hello \u00e9","n":42,"tags":["a","b"]},1,2,3,4,5,6,7]`,
		"/chat": `2/chat,["a",1]`,
	} {
		f := protocol.Frames{Text: []byte(text)}
		if n := testing.AllocsPerRun(200, func() {
			if err := f.CheckEvent(ns, protocol.Limits{}); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want 0", text, n)
		}
	}
}
