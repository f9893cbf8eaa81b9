package protocol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
)

func TestBinaryPackets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		bin  []string
		want packet
	}{
		{
			`52-0["a",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]`,
			[]string{"\x01", "\x02"},
			packet{
				Type: event, Namespace: "/", HasID: true, Event: "a",
				Args: []string{`{"_placeholder":true,"num":0}`, `{"b":{"_placeholder":true,"num":1}}`},
				Bin:  []string{"\x01", "\x02"},
			},
		},
		{
			`61-/chat,12[{"_placeholder":true,"num":0}]`,
			[]string{"\x01"},
			packet{
				Type: ack, Namespace: "/chat", ID: 12, HasID: true,
				Args: []string{`{"_placeholder":true,"num":0}`}, Bin: []string{"\x01"},
			},
		},
		{ // an attachment that nothing refers to, one referred to twice, other spellings of a number
			`52-["a",{"_placeholder":true,"num":1.0},{"num":10e-1,"_placeholder":false,"_placeholder":true},{"_placeholder":true,"num":-0}]`,
			[]string{"", "x"},
			packet{
				Type: event, Namespace: "/", Event: "a",
				Args: []string{
					`{"_placeholder":true,"num":1.0}`, `{"num":10e-1,"_placeholder":false,"_placeholder":true}`,
					`{"_placeholder":true,"num":-0}`,
				},
				Bin: []string{"", "x"},
			},
		},
		{ // what looks like a placeholder and is none
			`51-["a",{"_placeholder":1,"num":9},{"_placeholder":"true","num":9},{"placeholder":true,"num":9},{"_placeholder":true,"_placeholder":null,"num":9}]`,
			[]string{"x"},
			packet{
				Type: event, Namespace: "/", Event: "a",
				Args: []string{
					`{"_placeholder":1,"num":9}`, `{"_placeholder":"true","num":9}`,
					`{"placeholder":true,"num":9}`, `{"_placeholder":true,"_placeholder":null,"num":9}`,
				},
				Bin: []string{"x"},
			},
		},
		{
			`501-["a"]`, []string{"x"},
			packet{Type: event, Namespace: "/", Event: "a", Bin: []string{"x"}},
		},
	}
	for _, tt := range tests {
		p, done, err := decode(protocol.Limits{}, tt.text, tt.bin...)
		if err != nil || !done {
			t.Errorf("%s: done %v, %v", tt.text, done, err)
			continue
		}
		if diff := cmp.Diff(tt.want, flatten(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// The text buffer is free as soon as Text returns, also for a packet that is
// not finished; an attachment is the decoder's.
func TestBinaryPacketOwnsItsText(t *testing.T) {
	t.Parallel()
	d := protocol.NewDecoder(protocol.Limits{})
	text := []byte(`52-/chat,["name",{"_placeholder":true,"num":1},"tail"]`)
	var head protocol.Packet
	done, err := d.Text(text, &head)
	if done || err != nil || !d.Pending() {
		t.Fatalf("done %v, %v, pending %v", done, err, d.Pending())
	}
	clear(text)
	head = protocol.Packet{}
	if p, done, err := d.Binary([]byte("one")); p != nil || done || err != nil || !d.Pending() {
		t.Fatalf("packet %v, done %v, %v, pending %v", p, done, err, d.Pending())
	}
	p, done, err := d.Binary([]byte("two"))
	if !done || err != nil || d.Pending() {
		t.Fatalf("done %v, %v, pending %v", done, err, d.Pending())
	}
	// The next packet must not touch this one.
	if done, err := d.Text([]byte(`2/other,["x",1,2,3]`), &head); !done || err != nil {
		t.Fatal(done, err)
	}
	want := packet{
		Type: event, Namespace: "/chat", Event: "name",
		Args: []string{`{"_placeholder":true,"num":1}`, `"tail"`}, Bin: []string{"one", "two"},
	}
	if diff := cmp.Diff(want, flatten(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An empty attachment is empty and not null, also when the transport has no
// bytes to point at.
func TestEmptyAttachmentIsNotNil(t *testing.T) {
	t.Parallel()
	d := protocol.NewDecoder(protocol.Limits{})
	var p protocol.Packet
	if done, err := d.Text([]byte(`51-["a",{"_placeholder":true,"num":0}]`), &p); done || err != nil {
		t.Fatal(done, err)
	}
	full, done, err := d.Binary(nil)
	if !done || err != nil {
		t.Fatal(done, err)
	}
	for name, c := range codecs {
		var b []byte
		if err := full.Args.Decode(c, &b); err != nil || b == nil {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

func TestTextWhilePending(t *testing.T) {
	t.Parallel()
	for _, next := range []string{`2["a"]`, `1`, ``, `51-["a"]`} {
		d := protocol.NewDecoder(protocol.Limits{})
		var p protocol.Packet
		if done, err := d.Text([]byte(`51-["a"]`), &p); done || err != nil {
			t.Fatal(done, err)
		}
		done, err := d.Text([]byte(next), &p)
		want := &protocol.SyntaxError{Reason: "text while attachments are outstanding"}
		if diff := cmp.Diff(error(want), err); diff != "" || done {
			t.Errorf("%q: done %v (-want +got):\n%s", next, done, diff)
		}
		if d.Pending() {
			t.Errorf("%q: still pending", next)
		}
	}
}

func TestBinaryThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	d := protocol.NewDecoder(protocol.Limits{})
	var p protocol.Packet
	if done, err := d.Text([]byte(`2["a"]`), &p); !done || err != nil {
		t.Fatal(done, err)
	}
	got, done, err := d.Binary([]byte("x"))
	want := &protocol.SyntaxError{Reason: "binary message that no packet announced"}
	if diff := cmp.Diff(error(want), err); diff != "" || done || got != nil {
		t.Errorf("done %v, packet %v (-want +got):\n%s", done, got, diff)
	}
}

// The bytes of an unfinished packet are bounded, however they are split, and
// freed when the bound is passed.
func TestPendingBytesAreBounded(t *testing.T) {
	t.Parallel()
	const text = `53-["a"]`
	d := protocol.NewDecoder(protocol.Limits{MaxPending: len(text) + 10})
	var p protocol.Packet
	for _, tt := range []struct {
		sizes []int
		ok    bool
	}{
		{[]int{0, 10, 0}, true},
		{[]int{5, 5, 0}, true},
		{[]int{11}, false},
		{[]int{5, 6}, false},
		{[]int{5, 5, 1}, false},
	} {
		if done, err := d.Text([]byte(text), &p); done || err != nil {
			t.Fatal(done, err)
		}
		var err error
		var done bool
		for _, n := range tt.sizes {
			_, done, err = d.Binary(make([]byte, n))
		}
		if tt.ok != (err == nil) || done != tt.ok || d.Pending() {
			t.Errorf("%v: done %v, %v, pending %v", tt.sizes, done, err, d.Pending())
		}
		if want := (&protocol.LimitError{Limit: "unfinished packet", Value: len(text) + 11, Max: len(text) + 10}); !tt.ok {
			if diff := cmp.Diff(error(want), err); diff != "" {
				t.Errorf("%v (-want +got):\n%s", tt.sizes, diff)
			}
		}
	}
}
