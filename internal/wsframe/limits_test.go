package wsframe

import (
	"bytes"
	"strings"
	"testing"
)

func TestMessageLimit(t *testing.T) {
	t.Parallel()
	cfg := Config{Server: true, MaxMessage: 1000}
	whole := strings.Repeat("x", 1000)
	cases := []struct {
		name string
		in   []byte
		want outcome
	}{
		{"at the limit", stream(frame(fText, whole)), outcome{Messages: []Message{text(whole)}}},
		{"one over", stream(frame(fText, whole+"x")), outcome{Violation: TooBig}},
		{"one over, declared only", stream(wire{b0: fText, claim: 1001}), outcome{Violation: TooBig}},
		{"fragments at the limit", stream(frame(0x1, whole[:400]), frame(0x0, whole[400:999]), frame(fCont, "x")),
			outcome{Messages: []Message{text(whole)}}},
		{"fragments over", stream(frame(0x1, whole[:400]), frame(0x0, whole[400:]), wire{b0: fCont, claim: 1}),
			outcome{Violation: TooBig}},
		{"the limit is per message", stream(frame(fText, whole), frame(fText, whole)),
			outcome{Messages: []Message{text(whole), text(whole)}}},
		{"a ping does not count", stream(frame(0x1, whole), frame(fPing, "p"), frame(fCont, "")),
			outcome{Messages: []Message{ping("p"), text(whole)}}},
		{"a ping inside a full message", stream(frame(0x1, whole), frame(fPing, "p"), wire{b0: fCont, claim: 1}),
			outcome{Messages: []Message{ping("p")}, Violation: TooBig}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantOutcome(t, readPieces(t, cfg, tc.in), tc.want)
			wantOutcome(t, readPieces(t, cfg, bytewise(tc.in)...), tc.want)
			wantOutcome(t, reference(cfg, tc.in), tc.want)
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	// A million bytes pass, one more does not; nothing of it needs to be sent.
	got := readPieces(t, server, stream(wire{b0: fText, claim: 1_000_000}))
	wantOutcome(t, got, outcome{Partial: true})
	got = readPieces(t, server, stream(wire{b0: fText, claim: 1_000_001}))
	wantOutcome(t, got, outcome{Violation: TooBig})

	many := func(n int) []byte {
		in := stream(frame(0x2, "a"))
		for range n - 2 {
			in = frame(0x0, "b").appendTo(in)
		}
		return frame(fCont, "c").appendTo(in)
	}
	got = readPieces(t, server, many(1024))
	wantOutcome(t, got, outcome{Messages: []Message{binMsg("a" + strings.Repeat("b", 1022) + "c")}})
	got = readPieces(t, server, many(1025))
	wantOutcome(t, got, outcome{Violation: TooManyFragments})
	wantOutcome(t, reference(server, many(1025)), outcome{Violation: TooManyFragments})
}

func TestLimitBeyondMemory(t *testing.T) {
	t.Parallel()
	cfg := Config{Server: true, Deflate: true, MaxMessage: 1<<63 - 1, MaxFragments: 1<<31 - 1}
	in := stream(frame(0x2|bitRsv1, "ab"), wire{b0: fCont, form: 8, claim: 1<<63 - 1})
	wantOutcome(t, readPieces(t, cfg, in), outcome{Violation: TooBig})
	in = stream(frame(0x2, "ab"), wire{b0: fCont, form: 8, claim: 1<<63 - 1})
	wantOutcome(t, readPieces(t, cfg, in), outcome{Violation: TooBig})
	in = stream(frame(fText|bitRsv1, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
	wantOutcome(t, readPieces(t, cfg, in), outcome{Messages: []Message{text("Hello")}})
}

func TestFragmentLimit(t *testing.T) {
	t.Parallel()
	cfg := Config{Server: true, MaxFragments: 3}
	ok := stream(frame(0x1, "a"), frame(0x0, "b"), frame(fCont, "c"))
	two := append(bytes.Clone(ok), ok...)
	wantOutcome(t, readPieces(t, cfg, two), outcome{Messages: []Message{text("abc"), text("abc")}})
	over := stream(frame(0x1, "a"), frame(0x0, "b"), frame(fPing, ""), frame(0x0, "c"), frame(fCont, "d"))
	wantOutcome(t, readPieces(t, cfg, over), outcome{Messages: []Message{ping("")}, Violation: TooManyFragments})
}

func TestEmptyFrames(t *testing.T) {
	t.Parallel()
	run := func(n int, between ...wire) []wire {
		var f []wire
		for range n {
			f = append(f, frame(0x0, ""))
			f = append(f, between...)
		}
		return f
	}
	start, end := frame(0x1, "a"), frame(fCont, "z")
	cat := func(parts ...[]wire) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, stream(p...)...)
		}
		return b
	}
	one := func(w ...wire) []wire { return w }
	cases := []struct {
		name string
		in   []byte
		want outcome
	}{
		{"16 in a row", cat(one(start), run(16), one(end)), outcome{Messages: []Message{text("az")}}},
		{"17 in a row", cat(one(start), run(17), one(end)), outcome{Violation: TooManyEmptyFrames}},
		{"16 and an empty last one", cat(one(start), run(16), one(frame(fCont, ""))),
			outcome{Messages: []Message{text("a")}}},
		{"the first frame counts", cat(one(frame(0x1, "")), run(16), one(end)), outcome{Violation: TooManyEmptyFrames}},
		{"a byte starts a new run", cat(one(start), run(16), one(frame(0x0, "b")), run(16), one(end)),
			outcome{Messages: []Message{text("abz")}}},
		{"a ping does not", cat(one(start), run(16), one(frame(fPong, "")), run(1), one(end)),
			outcome{Messages: []Message{pong("")}, Violation: TooManyEmptyFrames}},
		{"a new message does", cat(one(start), run(16), one(end), one(start), run(16), one(end)),
			outcome{Messages: []Message{text("az"), text("az")}}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantOutcome(t, readPieces(t, server, tc.in), tc.want)
			wantOutcome(t, readPieces(t, server, bytewise(tc.in)...), tc.want)
			wantOutcome(t, reference(server, tc.in), tc.want)
		})
	}
}

// TestMemoryFollowsBytes claims much, sends little by little, and looks at the
// buffer after each piece.
func TestMemoryFollowsBytes(t *testing.T) {
	t.Parallel()
	const claim = 900_000
	for _, piece := range []int{1, 700, 4096, 65536} {
		var r Reader
		r.Init(server)
		in := stream(wire{b0: fBinary, claim: claim})
		if _, _, ok, err := r.Next(in); ok || err != nil {
			t.Fatalf("header: %t, %v", ok, err)
		}
		if r.p.buf != nil {
			t.Fatalf("a header alone made the Reader hold %d bytes", cap(r.p.buf.b))
		}
		for got := 0; got < claim; {
			n := min(piece, claim-got)
			if piece == 1 && got == 3000 {
				break
			}
			m, _, ok, err := r.Next(make([]byte, n))
			got += n
			if err != nil || ok != (got == claim) {
				t.Fatalf("after %d bytes: %t, %v", got, ok, err)
			}
			if ok {
				if len(m.Data) != claim {
					t.Fatalf("message of %d bytes", len(m.Data))
				}
				break
			}
			if held := cap(r.p.buf.b); held > max(1024, 2*got) {
				t.Fatalf("after %d bytes in pieces of %d the Reader holds %d", got, piece, held)
			}
		}
		r.Release()
		if r.p != nil || r.Partial() {
			t.Error("Release left something")
		}
	}
}

func TestChunkSizes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1023, 1024, 1025, 1 << 20, 1<<20 + 1, 3 << 20} {
		c := newChunk(n)
		if len(c.b) != 0 || cap(c.b) < n || cap(c.b) > max(1024, 2*n) {
			t.Errorf("newChunk(%d): length %d, capacity %d", n, len(c.b), cap(c.b))
		}
		c.free()
	}
}
