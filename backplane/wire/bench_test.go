package wire_test

import (
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

func BenchmarkAppend(b *testing.B) {
	m := chat()
	buf := make([]byte, 0, m.Len())
	b.SetBytes(int64(m.Len()))
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
}

// BenchmarkDecode is what a node does with each message that it keeps.
func BenchmarkDecode(b *testing.B) {
	data := chat().Append(nil)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(data, backplane.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeAgain is the same into one message.
func BenchmarkDecodeAgain(b *testing.B) {
	data := chat().Append(nil)
	var m wire.Message
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Decode(data, backplane.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeManyRooms(b *testing.B) {
	m := chat()
	for range 99 {
		m.Target.Rooms = append(m.Target.Rooms, "another room")
	}
	data := m.Append(nil)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(data, backplane.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
