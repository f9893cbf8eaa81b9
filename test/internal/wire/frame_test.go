package wire

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// What Append writes is what another implementation reads.
func TestAppendIsAClientFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		for _, f := range []Frame{{Op: OpText}, {Op: OpBinary, NotFin: true}, {Op: OpPing, RSV: 5}, {Op: OpContinuation, Unmasked: true}} {
			f.Payload = bytes.Repeat([]byte{0xa5}, n)
			r := bytes.NewReader(f.Append(nil))
			h, err := ws.ReadHeader(r)
			if err != nil {
				t.Fatal(err)
			}
			want := ws.Header{Fin: !f.NotFin, Rsv: f.RSV, OpCode: ws.OpCode(f.Op), Masked: !f.Unmasked, Mask: h.Mask, Length: int64(n)}
			if diff := cmp.Diff(want, h); diff != "" {
				t.Error(diff)
			}
			rest := make([]byte, r.Len())
			if _, err := r.Read(rest); err != nil && n > 0 {
				t.Fatal(err)
			}
			if h.Masked {
				ws.Cipher(rest, h.Mask, 0)
			}
			if !bytes.Equal(rest, f.Payload) {
				t.Errorf("%d bytes: payload differs", n)
			}
		}
	}
}

func TestReadFrameTakesServerFrames(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		p := bytes.Repeat([]byte("x"), n)
		f, err := readFrame(bytes.NewReader(ws.MustCompileFrame(ws.NewTextFrame(p))))
		if err != nil || f.Op != OpText || f.NotFin || !bytes.Equal(f.Payload, p) {
			t.Errorf("%d bytes: %v, %d bytes", n, err, len(f.Payload))
		}
	}
}

func TestReadFrameRefusesWhatAServerMustNotSend(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"masked":            {0x81, 0x80, 1, 2, 3, 4},
		"length not least":  {0x81, 126, 0, 5, 'h', 'e', 'l', 'l', 'o'},
		"length not least8": {0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x'},
		"too long":          {0x81, 127, 0x7f, 0, 0, 0, 0, 0, 0, 1},
		"cut":               {0x81, 5, 'h'},
	} {
		if _, err := readFrame(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
