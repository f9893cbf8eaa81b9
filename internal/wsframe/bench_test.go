package wsframe

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/gobwas/ws"
)

// benchRead reads one prepared stream of masked frames again and again. The
// copy that undoes the unmasking is part of the figures.
func benchRead(b *testing.B, pieces [][]byte, messages int) {
	var r Reader
	r.Init(serverDeflate)
	total := 0
	for _, p := range pieces {
		total += len(p)
	}
	scratch := make([]byte, total)
	b.SetBytes(int64(total))
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		for _, p := range pieces {
			in := scratch[:copy(scratch, p)]
			for {
				_, n, ok, err := r.Next(in)
				if err != nil {
					b.Fatal(err)
				}
				if !ok {
					break
				}
				got++
				in = in[n:]
			}
		}
		if got != messages {
			b.Fatalf("%d messages, want %d", got, messages)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 128)
	one := AppendMasked(nil, ws.OpText, payload, testKey)
	b.Run("whole/128", func(b *testing.B) { benchRead(b, [][]byte{one}, 1) })
	b.Run("batch-of-16/128", func(b *testing.B) { benchRead(b, [][]byte{bytes.Repeat(one, 16)}, 16) })
	b.Run("cut/128", func(b *testing.B) { benchRead(b, [][]byte{one[:70], one[70:]}, 1) })
	frags := stream(wire{b0: 0x1, payload: payload[:64]}, wire{b0: fCont, payload: payload[64:]})
	b.Run("fragments/128", func(b *testing.B) { benchRead(b, [][]byte{frags}, 1) })
	big := AppendMasked(nil, ws.OpBinary, make([]byte, 64<<10), testKey)
	var pieces [][]byte
	for rest := big; len(rest) > 0; {
		n := min(4096, len(rest))
		pieces, rest = append(pieces, rest[:n]), rest[n:]
	}
	b.Run("in-4K/64K", func(b *testing.B) { benchRead(b, pieces, 1) })
	body, err := Deflate(nil, benchJSON(2000))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("deflate/2000", func(b *testing.B) { benchRead(b, [][]byte{packed(fText, string(body))}, 1) })
}

func benchJSON(n int) []byte {
	var p []byte
	for i := 0; len(p) < n; i++ {
		p = fmt.Appendf(p, `{"id":%d,"user":"player-%d","x":%d.5,"y":%d},`, i, i*7919%100, i*31%640, i*17%480)
	}
	return p[:n]
}

func BenchmarkUnmask(b *testing.B) {
	for _, n := range []int{16, 128, 1024, 65536} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				ws.Cipher(p, testKey, 0)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 128)
	dst := make([]byte, 0, 4096)
	b.Run("text/128", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = AppendText(dst, payload)
		}
	})
	b.Run("masked/128", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = AppendMasked(dst, ws.OpText, payload, testKey)
		}
	})
	json := benchJSON(2000)
	b.Run("deflate/2000", func(b *testing.B) {
		b.SetBytes(int64(len(json)))
		b.ReportAllocs()
		var size int
		for b.Loop() {
			out, err := Deflate(dst, json)
			if err != nil {
				b.Fatal(err)
			}
			size = len(out)
		}
		b.ReportMetric(float64(size), "packed-B")
	})
}
