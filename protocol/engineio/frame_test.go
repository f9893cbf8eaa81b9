package engineio

import (
	"bytes"
	"testing"
)

func TestTypes(t *testing.T) {
	t.Parallel()
	names := map[Type]string{
		Open: "open", Close: "close", Ping: "ping", Pong: "pong",
		Message: "message", Upgrade: "upgrade", Noop: "noop",
	}
	for c := range 256 {
		name, valid := names[Type(c)]
		if !valid {
			name = "invalid"
		}
		if Type(c).Valid() != valid || Type(c).String() != name {
			t.Errorf("Type(%d): Valid %t, String %q; want %t, %q", c, Type(c).Valid(), Type(c), valid, name)
		}
	}
}

func TestRevisionOf(t *testing.T) {
	t.Parallel()
	for eio, want := range map[string]Revision{"4": V4, "3": V3, "": V3, "2": V3, "5": V3, "abc": V3, "04": V3, " 4": V3} {
		if got := RevisionOf(eio); got != want {
			t.Errorf("RevisionOf(%q) = %d, want %d", eio, got, want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rev    Revision
		frame  string
		want   Packet
		reason string
	}{
		{rev: V4, frame: "4hello", want: message("hello")},
		{rev: V3, frame: "4hello", want: message("hello")},
		{rev: V4, frame: "4", want: message("")},
		{rev: V4, frame: "0{}", want: text(Open, "{}")},
		{rev: V3, frame: "1", want: text(Close, "")},
		{rev: V3, frame: "2probe", want: text(Ping, Probe)},
		{rev: V4, frame: "3probe", want: text(Pong, Probe)},
		{rev: V4, frame: "5", want: text(Upgrade, "")},
		{rev: V4, frame: "6", want: text(Noop, "")},
		{rev: V4, frame: "4€😀", want: message("€😀")},
		// A V3 digit and a V4 base64 character may be the same byte.
		{rev: V3, frame: "b4AQID", want: binaryMessage("\x01\x02\x03")},
		{rev: V4, frame: "bAQID", want: binaryMessage("\x01\x02\x03")},
		{rev: V4, frame: "b4AQI", want: binaryMessage("\xe0\x04\x08")},
		{rev: V3, frame: "b2AQID", want: Packet{Type: Ping, Binary: true, Data: []byte{1, 2, 3}}},
		{rev: V4, frame: "b", want: binaryMessage("")},
		{rev: V3, frame: "b4", want: binaryMessage("")},
		{rev: V4, frame: "b+/8=", want: binaryMessage("\xfb\xff")},
		{rev: V4, frame: "bAQ==", want: binaryMessage("\x01")},
		{rev: V4, frame: "bAQ=", want: binaryMessage("\x01")},
		{rev: V4, frame: "bAQ", want: binaryMessage("\x01")},
		{rev: V4, frame: "bAQI", want: binaryMessage("\x01\x02")},

		{rev: V4, frame: "", reason: reasonEmpty},
		{rev: V3, frame: "", reason: reasonEmpty},
		{rev: V4, frame: "7", reason: reasonType},
		{rev: V4, frame: "abc", reason: reasonType},
		{rev: V4, frame: "/", reason: reasonType},
		{rev: V4, frame: "\x04", reason: reasonType},
		{rev: V4, frame: "€", reason: reasonType},
		{rev: V3, frame: "b", reason: reasonType},
		{rev: V3, frame: "bAQID", reason: reasonType},
		{rev: V3, frame: "b7AQID", reason: reasonType},
		{rev: V4, frame: "b!!!", reason: reasonBase64},
		{rev: V4, frame: "bA", reason: reasonBase64},
		{rev: V4, frame: "bAQ===", reason: reasonBase64},
		{rev: V4, frame: "bAQ==AQ==", reason: reasonBase64},
		{rev: V4, frame: "bAQ-_", reason: reasonBase64},
		{rev: V4, frame: "bAQ\nID", reason: reasonBase64},
		{rev: V4, frame: "bAQ\rID", reason: reasonBase64},
		{rev: V4, frame: "bAQID\r\n", reason: reasonBase64},
		{rev: V3, frame: "b4AQ ID", reason: reasonBase64},
	}
	for _, tt := range tests {
		t.Run(tt.frame, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeText(tt.rev, []byte(tt.frame))
			checkReason(t, err, "text packet", tt.reason)
			if d := diff(tt.want, got); d != "" {
				t.Errorf("packet (-want +got):\n%s", d)
			}
		})
	}
}

func TestDecodeBinary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rev    Revision
		frame  string
		want   Packet
		reason string
	}{
		{rev: V3, frame: "\x04\x01\x02\x03", want: binaryMessage("\x01\x02\x03")},
		{rev: V3, frame: "\x04", want: binaryMessage("")},
		{rev: V3, frame: "\x06", want: Packet{Type: Noop, Binary: true}},
		{rev: V4, frame: "\x01\x02\x03", want: binaryMessage("\x01\x02\x03")},
		{rev: V4, frame: "", want: binaryMessage("")},
		{rev: V3, frame: "", reason: reasonEmpty},
		{rev: V3, frame: "\x07\x01", reason: reasonType},
		{rev: V3, frame: "4\x01", reason: reasonType},
	}
	for _, tt := range tests {
		got, err := DecodeBinary(tt.rev, []byte(tt.frame))
		checkReason(t, err, "binary packet", tt.reason)
		if d := diff(tt.want, got); d != "" {
			t.Errorf("revision %d, %q (-want +got):\n%s", tt.rev, tt.frame, d)
		}
	}
}

func TestAppendFrames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rev          Revision
		p            Packet
		text, binary string
	}{
		{V4, binaryMessage("\x01\x02\x03"), "bAQID", "\x01\x02\x03"},
		{V3, binaryMessage("\x01\x02\x03"), "b4AQID", "\x04\x01\x02\x03"},
		{V3, binaryMessage("\x01\x02\x03\x04"), "b4AQIDBA==", "\x04\x01\x02\x03\x04"},
		{V4, binaryMessage(""), "b", ""},
	}
	for _, tt := range tests {
		if got := AppendText([]byte("x"), tt.rev, tt.p); string(got) != "x"+tt.text {
			t.Errorf("AppendText(x, %d, %v) = %q, want x%q", tt.rev, tt.p, got, tt.text)
		}
		if got := AppendBinary([]byte("x"), tt.rev, tt.p); string(got) != "x"+tt.binary {
			t.Errorf("AppendBinary(x, %d, %v) = %q, want x%q", tt.rev, tt.p, got, tt.binary)
		}
	}
	for _, rev := range []Revision{V3, V4} {
		if got := AppendText(nil, rev, text(Ping, Probe)); string(got) != "2probe" {
			t.Errorf("AppendText(2probe) = %q", got)
		}
	}
}

// TestDataIsClipped proves that appending to the data of one packet leaves the
// packets after it alone.
func TestDataIsClipped(t *testing.T) {
	t.Parallel()
	bodies := []struct {
		decode decodePayload
		body   string
	}{
		{DecodePayload4, "4a\x1e4b\x1ebAQ==\x1ebAg=="},
		{decode3, "2:4a2:4b6:b4AQ==6:b4Ag=="},
		{decode3, "3:4" + double("é") + "3:4" + double("é")},
		{DecodePayload3Binary, "\x00\x02\xff4a\x01\x02\xff\x04b\x00\x02\xff4c"},
	}
	for _, tt := range bodies {
		body := []byte(tt.body)
		var ps, copies []Packet
		err := tt.decode(body, func(p Packet) error {
			ps = append(ps, p)
			copies = append(copies, Packet{Type: p.Type, Binary: p.Binary, Data: bytes.Clone(p.Data)})
			_ = append(p.Data, "overwritten"...)
			return nil
		})
		if err != nil {
			t.Fatalf("%q: %v", tt.body, err)
		}
		if d := diff(copies, ps); d != "" {
			t.Errorf("%q changed (-before +after):\n%s", tt.body, d)
		}
		if string(body) != tt.body {
			t.Errorf("%q became %q", tt.body, body)
		}
	}
}
