//go:build !race

package subject_test

import (
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

func TestAllocs(t *testing.T) {
	s := space(t)
	for _, to := range []backplane.Address{
		backplane.Room("/chat", "lobby"), backplane.Room("/é", "a b"), backplane.Room("/", strings.Repeat("x", 256)),
		backplane.Socket("/", "tokenA0123456789abcdef"), backplane.Namespace("/chat"), backplane.Worker("/", "e"), backplane.Node("bootA"),
	} {
		sub := must(s.Fast(to))
		token := subject.Encode(to.Name)
		for _, c := range []struct {
			what string
			want float64
			run  func() bool
		}{
			{"Fast", 1, func() bool { _, err := s.Fast(to); return err == nil }},
			{"Parse", 0, func() bool { _, err := s.Parse(sub); return err == nil }},
			{"Is", 0, func() bool { return token.Is(to.Name) }},
			{"Hash", 0, func() bool { return subject.Hash(sub) != 0 }},
		} {
			if n := testing.AllocsPerRun(200, func() {
				if !c.run() {
					t.Error(c.what, to)
				}
			}); n != c.want {
				t.Errorf("%s of %s: %v allocations, want %v", c.what, to, n, c.want)
			}
		}
	}
}
