package msgpack_test

import (
	"testing"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

func benchFrames(b *testing.B) protocol.Frames {
	f, err := protocol.EncodeEvent(protocol.JSON, "/chat", "message", []any{map[string]any{
		"user": "alice", "text": "hello there, how are you?", "n": 42, "tags": []string{"a", "b"}, "ok": true,
		"blob": make([]byte, 100),
	}})
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func BenchmarkDecode(b *testing.B) {
	msg, err := msgpack.Append(nil, benchFrames(b))
	if err != nil {
		b.Fatal(err)
	}
	var p protocol.Packet
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if err := msgpack.Decode(msg, protocol.Limits{}, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	f := benchFrames(b)
	var buf []byte
	b.SetBytes(int64(f.Size()))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = msgpack.Append(buf[:0], f); err != nil {
			b.Fatal(err)
		}
	}
}
