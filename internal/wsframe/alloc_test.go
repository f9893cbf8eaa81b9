//go:build !race

package wsframe

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
)

// The race detector drops pooled values at random, so figures of allocation
// are taken without it.

func TestReaderSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Reader{}); n > 64 {
		t.Errorf("an idle Reader takes %d bytes", n)
	}
}

func TestAllocs(t *testing.T) {
	payload := bytes.Repeat([]byte("x"), 128)
	text := AppendMasked(nil, ws.OpText, payload, testKey)
	body, err := Deflate(nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	halves := stream(wire{b0: 0x1, payload: payload[:60]}, wire{b0: fCont, payload: payload[60:]})
	for _, tc := range []struct {
		name   string
		pieces [][]byte
	}{
		{"whole", [][]byte{text}},
		{"cut", [][]byte{text[:50], text[50:]}},
		{"fragments", [][]byte{halves}},
		{"compressed", [][]byte{packed(fText, string(body))}},
		{"ping", [][]byte{AppendMasked(nil, ws.OpPing, payload[:10], testKey)}},
		{"refused", [][]byte{{0xff, 0xff}}},
	} {
		var r Reader
		scratch := make([]byte, 256)
		got := testing.AllocsPerRun(200, func() {
			r.Init(serverDeflate)
			for _, piece := range tc.pieces {
				in := scratch[:copy(scratch, piece)]
				for {
					_, n, ok, err := r.Next(in)
					if !ok || err != nil {
						break
					}
					in = in[n:]
				}
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", tc.name, got)
		}
	}

	dst := make([]byte, 0, 512)
	for _, tc := range []struct {
		name  string
		build func()
	}{
		{"AppendText", func() { _ = AppendText(dst, payload) }},
		{"AppendMasked", func() { _ = AppendMasked(dst, ws.OpText, payload, testKey) }},
		{"AppendClose", func() { _ = AppendClose(dst, 1000, "bye") }},
		{"Deflate", func() { _, _ = Deflate(dst, payload) }},
	} {
		if got := testing.AllocsPerRun(200, tc.build); got != 0 {
			t.Errorf("%s: %v allocations", tc.name, got)
		}
	}
}
