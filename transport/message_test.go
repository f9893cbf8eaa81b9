package transport

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// forms makes the forms of a message by appending their number.
type forms struct{ made atomic.Int32 }

func (f *forms) Form(m *Message, n Form) protocol.Frames {
	f.made.Add(1)
	first := m.Frames(0)
	return protocol.Frames{Text: append(append([]byte{}, first.Text...), byte('0'+n)), Binary: first.Binary}
}

// decodeWS is what a client makes of frames: packets of its revision.
func decodeWS(t *testing.T, b []byte, rev engineio.Revision, deflate bool) []engineio.Packet {
	t.Helper()
	var r wsframe.Reader
	r.Init(wsframe.Config{Deflate: deflate})
	defer r.Release()
	var got []engineio.Packet
	b = bytes.Clone(b)
	for {
		m, n, ok, err := r.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return got
		}
		b = b[n:]
		var p engineio.Packet
		if m.Kind == wsframe.Text {
			p, err = engineio.DecodeText(rev, bytes.Clone(m.Data))
		} else {
			p, err = engineio.DecodeBinary(rev, bytes.Clone(m.Data))
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
}

func decodePoll(t *testing.T, b []byte, w wire) []engineio.Packet {
	t.Helper()
	var got []engineio.Packet
	add := func(p engineio.Packet) error {
		p.Data = bytes.Clone(p.Data)
		got = append(got, p)
		return nil
	}
	var err error
	switch w {
	case wirePoll4:
		err = engineio.DecodePayload4(b, add)
	case wirePoll3:
		err = new(engineio.Payload3Decoder).DecodeText(b, add)
	default:
		err = engineio.DecodePayload3Binary(b, add)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Every wire of every form says the same.
func TestMessageVariants(t *testing.T) {
	t.Parallel()
	long := []byte(`2["a",` + strings.Repeat("1,", 1000) + `1]`)
	packets := map[string]protocol.Frames{
		"text":           {Text: []byte(`2["a",1]`)},
		"empty text":     {Text: []byte{}},
		"long text":      {Text: long},
		"attachments":    {Text: []byte(`52-["a",{"_placeholder":true,"num":0}]`), Binary: [][]byte{{1, 2, 3}, {}}},
		"long both":      {Text: long, Binary: [][]byte{bytes.Repeat([]byte{7}, 5000)}},
		"one attachment": {Binary: [][]byte{{0xff, 0x1e, 0}}},
	}
	for name, f := range packets {
		for _, form := range []Form{0, FormCount - 1} {
			m := NewMessage(f, &forms{})
			want := []engineio.Packet{}
			frames := m.Frames(form)
			if frames.Text != nil {
				want = append(want, engineio.Packet{Type: engineio.Message, Data: frames.Text})
			}
			for _, b := range frames.Binary {
				want = append(want, engineio.Packet{Type: engineio.Message, Binary: true, Data: b})
			}
			for w := wire(0); w < wireCount; w++ {
				b := m.bytes(form, w, 1024)
				var got []engineio.Packet
				switch {
				case w >= wirePoll4:
					got = decodePoll(t, b, w)
				case w == wireWS4 || w == wireWS4Deflate:
					got = decodeWS(t, b, engineio.V4, w.isDeflate())
				default:
					got = decodeWS(t, b, engineio.V3, w.isDeflate())
				}
				for i := range got { // decoders differ in nil and empty
					got[i].Data = append([]byte{}, got[i].Data...)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s, form %d, wire %d: %s", name, form, w, d)
				}
				if again := m.bytes(form, w, 1024); len(b) > 0 && &again[0] != &b[0] {
					t.Errorf("%s, form %d, wire %d: built twice", name, form, w)
				}
			}
		}
	}
}

func TestCompressedFrames(t *testing.T) {
	t.Parallel()
	long := protocol.Frames{Text: []byte(strings.Repeat("long ", 1000))}
	m := NewMessage(long, nil)
	if b := m.bytes(0, wireWS4Deflate, 1024); b[0]&0x40 == 0 || len(b) > 200 {
		t.Errorf("%d bytes, first %x", len(b), b[0])
	}
	m = NewMessage(long, nil)
	m.DisableCompression()
	if b := m.bytes(0, wireWS4Deflate, 1024); b[0]&0x40 != 0 {
		t.Error("compressed although it was not to be")
	}
	m = NewMessage(long, nil)
	if b := m.bytes(0, wireWS4Deflate, 10_000); b[0]&0x40 != 0 {
		t.Error("compressed below the threshold")
	}
	// What does not get smaller is sent as it is.
	m = NewMessage(protocol.Frames{Binary: [][]byte{[]byte("abcdefgh")}}, nil)
	if b := m.bytes(0, wireWS4Deflate, 0); b[0]&0x40 != 0 {
		t.Error("compressed to more")
	}
}

// A form is made once, even by writers that race, and one that cannot be made is
// the first.
func TestForms(t *testing.T) {
	t.Parallel()
	f := &forms{}
	m := NewMessage(protocol.Frames{Text: []byte("x")}, f)
	var wg sync.WaitGroup
	all := make([][]byte, 8)
	for i := range all {
		wg.Go(func() { all[i] = m.bytes(2, wireWS4, 1024) })
	}
	wg.Wait()
	for _, b := range all {
		if &b[0] != &all[0][0] {
			t.Error("different bytes for one form")
		}
	}
	if m.Former() != f || string(m.Frames(2).Text) != "x2" {
		t.Errorf("%q", m.Frames(2).Text)
	}
	for _, m := range []*Message{NewMessage(protocol.Frames{Text: []byte("x")}, nil), m} {
		if got := string(m.Frames(FormCount).Text); got != "x" {
			t.Errorf("form %d: %q", FormCount, got)
		}
	}
}

func TestASCIIPackets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`2["é"]`:            `2["\u00e9"]`,
		`2/é,["é"]`:         `2/é,["\u00e9"]`,
		`2/a["é,["é"]`:      `2/a["é,["\u00e9"]`,
		`2/é`:               `2/é`,
		`51-/é,7["😀"]`:      `51-/é,7["\ud83d\ude00"]`,
		`51-7["é"]`:         `51-7["\u00e9"]`,
		`3/a,12["\u2028é"]`: `3/a,12["\u2028\u00e9"]`,
		`44{"m":"é"}`:       `44{"m":"\u00e9"}`,
		`2["a"]`:            `2["a"]`,
	} {
		if got := string(asciiPacket([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	// Text that is not Socket.IO's is left alone.
	if got := string(NewText([]byte("é")).bytes(0, wirePoll3, 0)); got != "2:4é" {
		t.Errorf("%q", got)
	}
}
