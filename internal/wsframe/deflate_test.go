package wsframe

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func packed(b0 byte, body string) []byte { return stream(frame(b0|bitRsv1, body)) }

// TestInflateRFC reads the examples of RFC 7692 section 7.2.3.
func TestInflateRFC(t *testing.T) {
	t.Parallel()
	hello := outcome{Messages: []Message{text("Hello")}}
	cases := []struct {
		name string
		in   []byte
		want outcome
	}{
		{"7.2.3.1 one block", packed(fText, "\xf2\x48\xcd\xc9\xc9\x07\x00"), hello},
		{"7.2.3.1 in fragments", stream(frame(0x1|bitRsv1, "\xf2\x48\xcd"), frame(fCont, "\xc9\xc9\x07\x00")), hello},
		{"7.2.3.2 second message refers to the first", append(packed(fText, "\xf2\x48\xcd\xc9\xc9\x07\x00"),
			packed(fText, "\xf2\x00\x11\x00\x00")...), outcome{Messages: []Message{text("Hello")}, Violation: BadDeflate}},
		{"7.2.3.3 stored block", packed(fText, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), hello},
		{"7.2.3.4 final block", packed(fText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), hello},
		{"7.2.3.5 two blocks", packed(fText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), hello},
		{"7.2.3.6 empty", packed(fText, "\x00"), outcome{Messages: []Message{text("")}}},
		{"uncompressed among compressed", append(stream(frame(fText, "plain")), packed(fText, "\x00")...),
			outcome{Messages: []Message{text("plain"), text("")}}},

		{"final block without the zero", packed(fText, "\xf3\x48\xcd\xc9\xc9\x07\x00"), hello},
		{"bytes behind a final block", packed(fText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x01"),
			outcome{Violation: BadDeflate}},
		{"no bytes at all", packed(fText, ""), outcome{Messages: []Message{text("")}}},
		{"no bytes in fragments", stream(frame(0x1|bitRsv1, ""), frame(fCont, "")), outcome{Messages: []Message{text("")}}},
		{"reserved block type", packed(fText, "\x07"), outcome{Violation: BadDeflate}},
		{"stored lengths disagree", packed(fText, "\x00\x05\x00\x00\x00hello\x00"), outcome{Violation: BadDeflate}},
		{"distance too far back", packed(fText, "\xf2\x00\x11\x00\x00"), outcome{Violation: BadDeflate}},
		{"cut", packed(fText, "\xf2\x48\xcd"), outcome{Violation: BadDeflate}},
		{"text not UTF-8", packed(fText, "\x00\x01\x00\xfe\xff\xff\x00"), outcome{Violation: BadText}},
		{"binary", packed(fBinary, "\x00\x01\x00\xfe\xff\xff\x00"), outcome{Messages: []Message{binMsg("\xff")}}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantOutcome(t, readPieces(t, serverDeflate, tc.in), tc.want)
			wantOutcome(t, readPieces(t, serverDeflate, bytewise(tc.in)...), tc.want)
			wantOutcome(t, reference(serverDeflate, tc.in), tc.want)
		})
	}
}

// TestDeflateRoundTrip compresses with ours and inflates with the standard
// library, and the other way round.
func TestDeflateRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	cfg := Config{Server: true, Deflate: true, MaxMessage: 4 << 20}
	for _, n := range []int{0, 1, 5, 100, 1024, 5000, 65535, 65536, 70000, 300_000} {
		noise := make([]byte, n)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		words := bytes.Repeat([]byte(`{"event":"move","x":17,"y":`), n/27+1)[:n]
		for i := range words {
			if i%13 == 0 {
				words[i] = byte('0' + rng.IntN(10))
			}
		}
		for _, payload := range [][]byte{noise, words} {
			body, err := Deflate([]byte("kept"), payload)
			if err != nil || !bytes.HasPrefix(body, []byte("kept")) {
				t.Fatalf("Deflate: %v, prefix %q", err, body[:4])
			}
			body = body[4:]
			std, err := io.ReadAll(stdflate.NewReader(io.MultiReader(bytes.NewReader(body), strings.NewReader(inflateTail))))
			if err != nil || !bytes.Equal(std, payload) {
				t.Fatalf("%d bytes: the standard library inflates ours to %d bytes, %v", n, len(std), err)
			}
			if limit := n + n/256 + 64; len(body) > limit {
				t.Errorf("%d bytes grew to %d, more than the limit allows for", n, len(body))
			}
			frame := AppendHeader(nil, ws.OpBinary, true, len(body))
			got := readPieces(t, Config{Deflate: true, MaxMessage: 4 << 20}, append(frame, body...))
			if got.Violation != 0 || len(got.Messages) != 1 || !bytes.Equal(got.Messages[0].Data, payload) {
				t.Fatalf("%d bytes: %s, %d messages", n, got.Violation, len(got.Messages))
			}

			for _, level := range []int{stdflate.HuffmanOnly, stdflate.NoCompression, 1, 6, 9} {
				var buf bytes.Buffer
				fw, err := stdflate.NewWriter(&buf, level)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(writeAll(fw, payload), fw.Flush()); err != nil {
					t.Fatal(err)
				}
				body := bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff"))
				got := readPieces(t, cfg, packed(fBinary, string(body)))
				if got.Violation != 0 || len(got.Messages) != 1 || !bytes.Equal(got.Messages[0].Data, payload) {
					t.Fatalf("%d bytes at level %d: %s, %d messages", n, level, got.Violation, len(got.Messages))
				}
			}
		}
	}
}

func writeAll(w io.Writer, p []byte) error {
	_, err := w.Write(p)
	return err
}

// TestDeflateIndependent checks that a body does not depend on what the pooled
// compressor did before.
func TestDeflateIndependent(t *testing.T) {
	t.Parallel()
	payload := []byte(strings.Repeat("the same words again ", 20))
	first, err := Deflate(nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		again, err := Deflate(nil, payload)
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("second body of %d bytes differs from the first of %d (%v)", len(again), len(first), err)
		}
	}
}

// TestDeflateBomb sends what inflates to far more than it is, with each limit
// as the one that holds it.
func TestDeflateBomb(t *testing.T) {
	t.Parallel()
	zeros := func(n int) string {
		var buf bytes.Buffer
		fw, err := stdflate.NewWriter(&buf, stdflate.BestSpeed)
		if err == nil {
			err = errors.Join(writeAll(fw, make([]byte, n)), fw.Flush())
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff")))
	}
	big := zeros(8 << 20)
	cases := []struct {
		name string
		max  int64
		body string
		want Violation
	}{
		{"8 MiB in 8 KiB", 0, big, TooBig},
		{"8 MiB in 8 KiB, limit of 1 GiB", 1 << 30, big, TooHighRatio},
		{"200 KB in 200 bytes", 0, zeros(200_000), TooHighRatio},
		{"at the floor", 0, zeros(16 << 10), 0},
		{"one over the floor", 0, zeros(16<<10 + 1), TooHighRatio},
		{"over the message limit, under the floor", 1000, zeros(1001), TooBig},
		{"at the message limit, under the floor", 1000, zeros(1000), 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Server: true, Deflate: true, MaxMessage: tc.max}
			got := readPieces(t, cfg, packed(fBinary, tc.body))
			if got.Violation != tc.want || (tc.want == 0) != (len(got.Messages) == 1) {
				t.Errorf("%d bytes: %s, %d messages; want %s", len(tc.body), got.Violation, len(got.Messages), tc.want)
			}
		})
	}

	// A ratio just under the cap passes: 50 to 1.
	noise := make([]byte, 1000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	half := append(noise, make([]byte, 49_000)...)
	body, err := Deflate(nil, half)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, readPieces(t, serverDeflate, packed(fBinary, string(body))),
		outcome{Messages: []Message{{Kind: Binary, Data: half}}})
}

// TestIncompressibleAtLimit sends a message of exactly the limit that grew by
// compression: it is the message that counts, not its form.
func TestIncompressibleAtLimit(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 1000, 100_000} {
		cfg := Config{Server: true, Deflate: true, MaxMessage: int64(n)}
		noise := make([]byte, n+1)
		rng := rand.New(rand.NewPCG(3, 4))
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		for extra, want := range []Violation{0, TooBig} {
			body, err := Deflate(nil, noise[:n+extra])
			if err != nil {
				t.Fatal(err)
			}
			if got := readPieces(t, cfg, packed(fBinary, string(body))); got.Violation != want {
				t.Errorf("%d bytes with a limit of %d: %s, want %s", n+extra, n, got.Violation, want)
			}
		}
	}
}
