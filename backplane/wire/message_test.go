package wire_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ sender, origin, want string }{
		{"", "", ""}, {"", "o", "o"}, {"s", "", "s"}, {"s", "o", "s"},
	} {
		m := wire.Message{Envelope: backplane.Envelope{Origin: tt.origin}, Sender: tt.sender}
		if got := m.From(); got != tt.want {
			t.Errorf("From() of sender %q and origin %q is %q", tt.sender, tt.origin, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*wire.Message{
		"whole":       whole(),
		"chat":        chat(),
		"empty":       {},
		"last reply":  {Final: true, Replies: 1, Sender: "b"},
		"highest":     {Envelope: backplane.Envelope{Kind: 255, Op: 255, Flags: 1<<16 - 1, ID: 1<<64 - 1, Timeout: 1<<63 - 1}, Counter: 1<<64 - 1, Replies: 1<<64 - 1},
		"empty names": {Envelope: backplane.Envelope{Target: backplane.Target{Rooms: []string{""}, Except: []string{"", ""}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := m.Append(nil)
			got, err := wire.Decode(data, backplane.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(m, got); d != "" {
				t.Errorf("changed (-sent +got):\n%s", d)
			}
			if again := got.Append(nil); !bytes.Equal(again, data) {
				t.Errorf("encoded again it is %x, was %x", again, data)
			}
		})
	}
}

func TestAppendExtends(t *testing.T) {
	t.Parallel()
	m := whole()
	data := m.Append(nil)
	if len(data) != m.Len() || cap(data) != m.Len() {
		t.Errorf("Len() = %d for %d bytes in %d", m.Len(), len(data), cap(data))
	}
	before := []byte("before")
	if got := m.Append(before); string(got) != "before"+string(data) {
		t.Errorf("appended it is %q", got)
	}
	buf := make([]byte, 3, 1024)
	if got := m.Append(buf); &got[0] != &buf[0] || !bytes.Equal(got[3:], data) {
		t.Error("the space there was is not used")
	}
}

func TestNegativeTimeoutIsAbsent(t *testing.T) {
	t.Parallel()
	m := &wire.Message{Envelope: backplane.Envelope{Timeout: -1}}
	if data := m.Append(nil); len(data) != 1 || m.Len() != 1 {
		t.Errorf("%x, Len() = %d", data, m.Len())
	}
}

// A message belongs to nobody else than the bytes it came in, and an append to
// one of its parts does not write into the next.
func TestDecodeKeepsData(t *testing.T) {
	t.Parallel()
	data := whole().Append(nil)
	before := bytes.Clone(data)
	m, err := wire.Decode(data, backplane.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m.Frames.Text = append(m.Frames.Text, "overwritten"...)
	m.Data = append(m.Data, "overwritten"...)
	m.Frames.Binary[0] = append(m.Frames.Binary[0], "overwritten"...)
	if !bytes.Equal(data, before) {
		t.Errorf("data became %q", data)
	}
	if text := m.Frames.Binary[1]; text == nil {
		t.Error("an empty attachment came back as nil")
	}
}

// Decoding into a message leaves nothing of the one before, nor of one that
// failed half way.
func TestDecodeAgain(t *testing.T) {
	t.Parallel()
	var m wire.Message
	full := whole().Append(nil)
	for _, data := range [][]byte{full, chat().Append(nil), full[:len(full)-1], {1}, full, {2}, {1}} {
		want, wantErr := wire.Decode(data, backplane.Limits{})
		err := m.Decode(data, backplane.Limits{})
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: %v, afresh %v", data, err, wantErr)
		}
		if err == nil && diff(want, &m) != "" {
			t.Errorf("%x (-afresh +again):\n%s", data, diff(want, &m))
		}
	}
}

// What is absent is nil, so that a reader can tell.
func TestAbsentIsNil(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{{1}, message(text(4, ""), text(6, ""), text(9, ""), text(11, ""), number(1, 0), number(13, 0))} {
		m, err := wire.Decode(data, backplane.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Target.Rooms != nil || m.Target.Except != nil || m.Frames.Binary != nil || m.Frames.Text != nil || m.Data != nil {
			t.Errorf("%x: %#v", data, m)
		}
		if got := m.Append(nil); len(got) != 1 {
			t.Errorf("%x becomes %x", data, got)
		}
	}
}

// The description for other languages says the same as the code: each of its
// fields, set alone, comes out under its number and in its type.
func TestProtoFile(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("envelope.proto")
	if err != nil {
		t.Fatal(err)
	}
	wireType := map[string]uint64{"uint32": 0, "uint64": 0, "bool": 0, "bytes": 2, "string": 2}
	full := whole()
	single := map[string]wire.Message{
		"kind":        {Envelope: backplane.Envelope{Kind: full.Kind}},
		"flags":       {Envelope: backplane.Envelope{Flags: full.Flags}},
		"op":          {Envelope: backplane.Envelope{Op: full.Op}},
		"origin":      {Envelope: backplane.Envelope{Origin: full.Origin}},
		"id":          {Envelope: backplane.Envelope{ID: full.ID}},
		"namespace":   {Envelope: backplane.Envelope{Namespace: full.Namespace}},
		"rooms":       {Envelope: backplane.Envelope{Target: backplane.Target{Rooms: full.Target.Rooms}}},
		"except":      {Envelope: backplane.Envelope{Target: backplane.Target{Except: full.Target.Except}}},
		"key":         {Envelope: backplane.Envelope{Key: full.Key}},
		"data":        {Envelope: backplane.Envelope{Data: full.Data}},
		"timeout":     {Envelope: backplane.Envelope{Timeout: full.Timeout}},
		"traceparent": {Envelope: backplane.Envelope{Traceparent: full.Traceparent}},
		"sender":      {Sender: "s"},
		"counter":     {Counter: 1},
		"baseline":    {Baseline: true},
		"final":       {Final: true},
		"replies":     {Replies: 9},
		"name":        {Name: "n"},
	}
	frames := wire.Message{}
	frames.Frames.Text = full.Frames.Text
	single["text"] = frames
	frames.Frames.Text, frames.Frames.Binary = nil, full.Frames.Binary
	single["binary"] = frames
	lines := regexp.MustCompile(`(?m)^  (repeated )?(\w+) (\w+) = (\d+);$`).FindAllStringSubmatch(string(src), -1)
	for i, line := range lines {
		name := line[3]
		m, ok := single[name]
		if !ok {
			t.Errorf("the code does not know %s", name)
			continue
		}
		n, err := strconv.ParseUint(line[4], 10, 64)
		if err != nil || n != uint64(i+1) {
			t.Errorf("%s has number %s after %d others", name, line[4], i)
		}
		want := [2]uint64{n, wireType[line[2]]}
		fields := split(t, m.Append(nil))
		if len(fields) == 0 || (len(fields) > 1) != (line[1] != "") {
			t.Errorf("%s: %d fields", name, len(fields))
		}
		for _, f := range fields {
			if key, _ := varint(f); [2]uint64{key >> 3, key & 7} != want {
				t.Errorf("%s is written as field %d of type %d, want %v", name, key>>3, key&7, want)
			}
		}
		delete(single, name)
	}
	for name := range single {
		t.Errorf("envelope.proto does not know %s", name)
	}
}
