package wsframe

import (
	"math/rand/v2"
	"testing"
)

// FuzzReader compares the Reader with the reference on any bytes, whole and
// chopped. The first byte chooses the configuration.
func FuzzReader(f *testing.F) {
	for _, tc := range ruleCases {
		f.Add(byte(0), uint64(1), tc.in)
	}
	for _, body := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x00"} {
		f.Add(byte(1), uint64(2), packed(fText, body))
		f.Add(byte(1), uint64(3), stream(frame(0x1|bitRsv1, body[:1]), frame(fPing, "p"), frame(fCont, body[1:])))
	}
	f.Fuzz(func(t *testing.T, bits byte, seed uint64, in []byte) {
		cfg := Config{Server: bits&2 == 0, Deflate: bits&1 != 0}
		if bits&4 != 0 {
			cfg.MaxMessage = 64
		}
		if bits&8 != 0 {
			cfg.MaxFragments = 2
		}
		want := reference(cfg, in)
		rng := rand.New(rand.NewPCG(seed, 0))
		for _, pieces := range [][][]byte{{in}, chop(rng, in)} {
			if diff := diffOutcome(want, readPieces(t, cfg, pieces...)); diff != "" {
				t.Fatalf("%d pieces (-reference +got):\n%s", len(pieces), diff)
			}
		}
	})
}
