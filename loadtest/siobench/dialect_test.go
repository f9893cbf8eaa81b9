//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBroadcastCarriesItsTime(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		f, _, ok, err := nextFrame(unmasked(d.broadcast(3, "r", 123456789, "xyz")))
		if err != nil || !ok {
			t.Fatalf("%s: no frame: %v", name, err)
		}
		var got []int64
		d.stamps(f.data, func(at int64) { got = append(got, at) })
		if diff := cmp.Diff([]int64{123456789}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if i := bytes.IndexAny(f.data, "[{"); !json.Valid(f.data[i:]) {
			t.Errorf("%s: %s is not JSON", name, f.data)
		}
	}
}

// unmasked drops the mask of a short client frame, which is all zeros.
func unmasked(b []byte) []byte {
	head := 2
	if b[1]&0x7f == 126 {
		head = 4
	}
	out := append([]byte(nil), b[:head]...)
	out[1] &= 0x7f
	return append(out, b[head+4:]...)
}

func TestStampsOfLines(t *testing.T) {
	t.Parallel()
	frame := []byte(`{"t":1}` + "\n" + `{"t":22}` + "\n" + `{"t":333}`)
	for name, want := range map[string][]int64{"centrifuge": {1, 22, 333}, "sio4": {1}} {
		d := dialects[name]
		var got []int64
		d.stamps(frame, func(at int64) { got = append(got, at) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestHeartbeatsAreAnswered(t *testing.T) {
	t.Parallel()
	sio4, sio3 := dialects["sio4"], dialects["sio3"]
	for _, c := range []struct {
		name   string
		d      dialect
		f      frame
		ping   bool
		answer []byte
	}{
		{"Engine.IO 4", sio4, frame{opText, []byte("2")}, true, maskedFrame(opText, []byte("3"))},
		{"Engine.IO 3", sio3, frame{opText, []byte("3")}, false, nil},
		{"WebSocket", sio3, frame{opPing, []byte("hi")}, true, maskedFrame(opPong, []byte("hi"))},
		{"a message", sio4, frame{opText, []byte("42[]")}, false, nil},
		{"an empty message", sio3, frame{opText, nil}, false, nil},
	} {
		if got := c.d.isPing(c.f); got != c.ping {
			t.Errorf("%s: isPing = %v", c.name, got)
		}
		if c.ping && !bytes.Equal(c.d.answer(c.f), c.answer) {
			t.Errorf("%s: answered % x", c.name, c.d.answer(c.f))
		}
	}
}

func TestSplitV3(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                 nil,
		"2:40":             {"40"},
		"1:32:40":          {"3", "40"},
		"9:short":          {"9:short"},
		`7:437["a"]`:       {`437["a"`},
		"1:61:1":           {"6", "1"},
		"x:1":              {"x:1"},
		`10:437["abc"]1:2`: {`437["abc"]`, "2"},
	} {
		if diff := cmp.Diff(want, splitV3([]byte(in))); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}
