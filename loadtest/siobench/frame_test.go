//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/gobwas/ws"
)

// A stream of frames of every length form comes out the same wherever it is cut.
func TestNextFrameAtEveryCut(t *testing.T) {
	t.Parallel()
	var stream []byte
	want := [][]byte{{}, []byte("2"), bytes.Repeat([]byte("a"), 125), bytes.Repeat([]byte("b"), 126), bytes.Repeat([]byte("c"), 70000)}
	for _, p := range want {
		stream = append(stream, ws.MustCompileFrame(ws.NewTextFrame(p))...)
	}
	for cut := 0; cut <= len(stream); cut += 1 + cut/40 {
		var got [][]byte
		buf := append([]byte(nil), stream[:cut]...)
		late := stream[cut:]
		for {
			f, rest, ok, err := nextFrame(buf)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				if f.op != opText {
					t.Fatalf("opcode %d", f.op)
				}
				got = append(got, bytes.Clone(f.data))
				buf = rest
				continue
			}
			if len(late) == 0 {
				break
			}
			buf, late = append(buf, late...), nil
		}
		if len(got) != len(want) || len(buf) != 0 {
			t.Fatalf("cut at %d: %d frames and %d bytes left", cut, len(got), len(buf))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("cut at %d: frame %d differs", cut, i)
			}
		}
	}
}

func TestNextFrameRefusesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	for _, head := range [][]byte{
		{0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
		{0x81, 127, 0, 0, 0, 0, 0, 2, 0, 1},
	} {
		if _, _, _, err := nextFrame(head); !errors.Is(err, errFrameTooLong) {
			t.Errorf("% x: %v, want %v", head, err, errFrameTooLong)
		}
	}
}

func TestMaskedFrameIsAClientFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		p := bytes.Repeat([]byte("x"), n)
		b := bytes.NewReader(maskedFrame(opText, p))
		h, err := ws.ReadHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := io.ReadAll(b)
		if err != nil {
			t.Fatal(err)
		}
		if ws.Cipher(payload, h.Mask, 0); !h.Fin || !h.Masked || h.OpCode != ws.OpText || h.Length != int64(n) || !bytes.Equal(payload, p) {
			t.Errorf("%d bytes: %+v", n, h)
		}
	}
}
