package subject_test

import (
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

var addresses = map[string]backplane.Address{
	"plain":  backplane.Room("/chat", "lobby"),
	"base64": backplane.Room("/chat", "order 17 of é"),
	"hash":   backplane.Room("/chat", strings.Repeat("x", 256)),
	"socket": backplane.Socket("/", "tokenA0123456789abcdef"),
}

func BenchmarkFast(b *testing.B) {
	s := space(b)
	for name, to := range addresses {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Fast(to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	s := space(b)
	for name, to := range addresses {
		sub := must(s.Fast(to))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Parse(sub); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	sub := must(space(b).Fast(addresses["socket"]))
	b.ReportAllocs()
	for b.Loop() {
		subject.Hash(sub)
	}
}
