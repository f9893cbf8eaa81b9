package wsframe

import (
	"bytes"
	"math/rand/v2"
	"pgregory.net/rapid"
	"testing"
)

// drawStream makes a stream of frames, most of them right, whose sizes lie
// around the borders of the length forms.
func drawStream(t *rapid.T, cfg Config) []byte {
	size := rapid.OneOf(rapid.IntRange(0, 12),
		rapid.SampledFrom([]int{124, 125, 126, 127, 128, 300, 1500, 65535, 65536}))
	payload := func(n int) []byte {
		alphabet := rapid.SampledFrom([]string{"a", "κ", "€uro ", "🚀", "a\xff"}).Draw(t, "alphabet")
		return bytes.Repeat([]byte(alphabet), n/len(alphabet)+1)[:n]
	}
	var frames []wire
	control := func() {
		op := rapid.SampledFrom([]byte{fPing, fPong, fPing, fPong, fClose}).Draw(t, "control")
		p := payload(rapid.IntRange(0, 125).Draw(t, "size"))
		if op == fClose && len(p) >= 2 {
			code := rapid.SampledFrom([]uint16{1000, 1005, 4000}).Draw(t, "code")
			p[0], p[1] = byte(code>>8), byte(code)
		}
		frames = append(frames, wire{b0: op, payload: p})
	}
	message := func() {
		b0 := rapid.SampledFrom([]byte{0x1, 0x2}).Draw(t, "opcode")
		p := payload(size.Draw(t, "size"))
		if cfg.Deflate && rapid.Bool().Draw(t, "compressed") {
			packed, err := Deflate(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			b0, p = b0|bitRsv1, packed
		}
		for n := rapid.IntRange(0, 4).Draw(t, "fragments"); n > 0; n-- {
			at := rapid.IntRange(0, len(p)).Draw(t, "at")
			frames = append(frames, wire{b0: b0, payload: p[:at]})
			b0, p = 0, p[at:]
			if rapid.Bool().Draw(t, "interleave") {
				control()
			}
		}
		frames = append(frames, wire{b0: b0 | bitFin, payload: p})
	}
	t.Repeat(map[string]func(*rapid.T){
		"message": func(*rapid.T) { message() },
		"control": func(*rapid.T) { control() },
	})
	for i := range frames {
		frames[i].unmasked = !cfg.Server
	}
	in := stream(frames...)
	// Damage some streams, and cut some short.
	if len(in) > 0 && rapid.IntRange(0, 3).Draw(t, "damage") == 0 {
		in[rapid.IntRange(0, len(in)-1).Draw(t, "where")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	}
	if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
		in = in[:rapid.IntRange(0, len(in)).Draw(t, "end")]
	}
	return in
}

// TestChop reads streams cut at random places: what comes out never depends on
// where the bytes were cut, and it is what the reference says.
func TestChop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{
			Server:       rapid.Bool().Draw(rt, "server"),
			Deflate:      rapid.Bool().Draw(rt, "deflate"),
			MaxMessage:   rapid.SampledFrom([]int64{0, 100, 70_000}).Draw(rt, "max message"),
			MaxFragments: rapid.SampledFrom([]int{0, 3}).Draw(rt, "max fragments"),
		}
		in := drawStream(rt, cfg)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		want := reference(cfg, in)
		for _, pieces := range [][][]byte{{in}, chop(rng, in), chop(rng, in), {nil, in, nil}} {
			if diff := diffOutcome(want, readPieces(t, cfg, pieces...)); diff != "" {
				rt.Fatalf("%d pieces (-reference +got):\n%s", len(pieces), diff)
			}
		}
	})
}

// TestEveryCut cuts one stream of everything in two at every byte, and reads it
// in pieces of every size up to 70 bytes.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	packed, err := Deflate(nil, bytes.Repeat([]byte("compress me, "), 30))
	if err != nil {
		t.Fatal(err)
	}
	in := stream(
		frame(fText, "hello"),
		frame(0x1|bitRsv1, string(packed[:5])),
		frame(fPing, "between"),
		frame(fCont, string(packed[5:])),
		wire{b0: fBinary, form: 8, payload: bytes.Repeat([]byte{0xff}, 200)},
		frame(fText, ""),
		frame(fBinary|bitRsv1, "\x00"),
		frame(0x2, string(bytes.Repeat([]byte{1}, 130))),
		frame(0x0, ""),
		frame(fCont, "end"),
		frame(fClose, "\x03\xe8bye"),
	)
	want := reference(serverDeflate, in)
	if len(want.Messages) != 8 || want.Violation != 0 {
		t.Fatalf("the reference read %d messages and %s", len(want.Messages), want.Violation)
	}
	for i := range len(in) + 1 {
		if diff := diffOutcome(want, readPieces(t, serverDeflate, in[:i], in[i:])); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", i, diff)
		}
	}
	for size := 1; size <= 70; size++ {
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if diff := diffOutcome(want, readPieces(t, serverDeflate, pieces...)); diff != "" {
			t.Fatalf("pieces of %d (-want +got):\n%s", size, diff)
		}
	}
}
