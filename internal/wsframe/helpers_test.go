package wsframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// server and client are the usual configurations of tests.
var (
	server        = Config{Server: true}
	serverDeflate = Config{Server: true, Deflate: true}
)

// A wire is one frame as a test wants it, right or wrong.
type wire struct {
	b0       byte // FIN, RSV and opcode
	unmasked bool
	form     int   // bytes of the length field: 0 shortest, else 2 or 8
	claim    int64 // length to declare instead of the payload's, when not 0
	payload  []byte
}

const (
	fText   = bitFin | 0x1
	fBinary = bitFin | 0x2
	fCont   = bitFin
	fClose  = bitFin | 0x8
	fPing   = bitFin | 0x9
	fPong   = bitFin | 0xa
)

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// appendTo encodes w by the figure of RFC 6455 section 5.2, independently of
// the builders under test.
func (w wire) appendTo(dst []byte) []byte {
	n := uint64(len(w.payload))
	if w.claim != 0 {
		n = uint64(w.claim)
	}
	form := w.form
	switch {
	case form == 0 && n > 65535:
		form = 8
	case form == 0 && n > 125:
		form = 2
	}
	mask := byte(0x80)
	if w.unmasked {
		mask = 0
	}
	dst = append(dst, w.b0)
	switch form {
	case 0:
		dst = append(dst, mask|byte(n))
	case 2:
		dst = binary.BigEndian.AppendUint16(append(dst, mask|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, mask|127), n)
	}
	if w.unmasked {
		return append(dst, w.payload...)
	}
	dst = append(dst, testKey[:]...)
	for i, b := range w.payload {
		dst = append(dst, b^testKey[i%4])
	}
	return dst
}

func stream(frames ...wire) []byte {
	var b []byte
	for _, f := range frames {
		b = f.appendTo(b)
	}
	return b
}

func frame(b0 byte, payload string) wire { return wire{b0: b0, payload: []byte(payload)} }

// outcome is all that a Reader makes of a stream.
type outcome struct {
	Messages  []Message
	Violation Violation
	Partial   bool
}

// readPieces feeds the pieces to a new Reader as a connection would, each in a
// buffer of its own that is overwritten afterwards.
func readPieces(tb testing.TB, cfg Config, pieces ...[]byte) outcome {
	tb.Helper()
	var r Reader
	r.Init(cfg)
	defer r.Release()
	var out outcome
	for _, piece := range pieces {
		buf := bytes.Clone(piece)
		for in := buf; ; {
			m, n, ok, err := r.Next(in)
			if n < 0 || n > len(in) {
				tb.Fatalf("Next used %d of %d bytes", n, len(in))
			}
			if err != nil {
				ce, isClose := errors.AsType[*CloseError](err)
				if !isClose {
					tb.Fatalf("Next: error %v is no *CloseError", err)
				}
				if ok {
					tb.Fatal("Next: ok with an error")
				}
				out.Violation = ce.Violation
				out.Partial = r.Partial()
				return out
			}
			if !ok {
				if n != len(in) {
					tb.Fatalf("Next used %d of %d bytes without a message", n, len(in))
				}
				break
			}
			m.Data = append([]byte{}, m.Data...)
			out.Messages = append(out.Messages, m)
			in = in[n:]
		}
		for i := range buf {
			buf[i] = 0xee
		}
		if !r.Partial() && r.p != nil {
			tb.Fatal("the Reader holds a buffer between messages")
		}
	}
	out.Partial = r.Partial()
	return out
}

// chop cuts b into pieces at random places, sometimes with empty pieces.
func chop(rng *rand.Rand, b []byte) [][]byte {
	var pieces [][]byte
	mean := 1 + rng.IntN(max(2, len(b)/2))
	for len(b) > 0 {
		n := min(len(b), rng.IntN(2*mean))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

func bytewise(b []byte) [][]byte {
	pieces := make([][]byte, len(b))
	for i := range b {
		pieces[i] = b[i : i+1]
	}
	return pieces
}

func text(s string) Message   { return Message{Kind: Text, Data: []byte(s)} }
func binMsg(s string) Message { return Message{Kind: Binary, Data: []byte(s)} }
func ping(s string) Message   { return Message{Kind: Ping, Data: []byte(s)} }
func pong(s string) Message   { return Message{Kind: Pong, Data: []byte(s)} }
func closing(code uint16, s string) Message {
	return Message{Kind: Close, Code: code, Data: []byte(s)}
}

func wantOutcome(t *testing.T, got, want outcome) {
	t.Helper()
	if diff := diffOutcome(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// diffOutcome explains how two outcomes differ. Comparing comes first, since
// explaining is slow and seldom needed.
func diffOutcome(want, got outcome) string {
	same := want.Violation == got.Violation && want.Partial == got.Partial &&
		slices.EqualFunc(want.Messages, got.Messages, func(a, b Message) bool {
			return a.Kind == b.Kind && a.Code == b.Code && bytes.Equal(a.Data, b.Data)
		})
	if same {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}
