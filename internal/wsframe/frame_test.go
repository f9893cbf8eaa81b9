package wsframe

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		length int
		rsv1   bool
		want   string
	}{
		{0, false, "\x81\x00"},
		{125, false, "\x81\x7d"},
		{126, false, "\x81\x7e\x00\x7e"},
		{65535, false, "\x81\x7e\xff\xff"},
		{65536, false, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{5, true, "\xc1\x05"},
	} {
		got := AppendHeader([]byte("x"), ws.OpText, tc.rsv1, tc.length)
		if string(got) != "x"+tc.want {
			t.Errorf("header for %d bytes: %x, want %x", tc.length, got[1:], tc.want)
		}
		if n := HeaderLen(tc.length); n != len(tc.want) {
			t.Errorf("HeaderLen(%d) = %d, want %d", tc.length, n, len(tc.want))
		}
	}
}

// TestRFCExamples builds the examples of RFC 6455 section 5.7.
func TestRFCExamples(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, got, want string }{
		{"text", string(AppendText(nil, []byte("Hello"))), "\x81\x05Hello"},
		{"masked text", string(AppendMasked(nil, ws.OpText, []byte("Hello"), [4]byte{0x37, 0xfa, 0x21, 0x3d})),
			"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{"ping", string(AppendPing(nil, []byte("Hello"))), "\x89\x05Hello"},
		{"masked pong", string(AppendMasked(nil, ws.OpPong, []byte("Hello"), [4]byte{0x37, 0xfa, 0x21, 0x3d})),
			"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{"256 bytes", string(AppendBinary(nil, make([]byte, 256))), "\x82\x7e\x01\x00" + string(make([]byte, 256))},
		{"64 KiB", string(AppendBinary(nil, make([]byte, 65536))),
			"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + string(make([]byte, 65536))},
		{"pong", string(AppendPong(nil, nil)), "\x8a\x00"},
		{"pong of too much", string(AppendPong(nil, make([]byte, 200))), "\x8a\x7d" + string(make([]byte, 125))},
		{"close", string(AppendClose(nil, 1000, "bye")), "\x88\x05\x03\xe8bye"},
		{"close without code", string(AppendClose(nil, 0, "bye")), "\x88\x00"},
		{"close no status", string(AppendClose(nil, 1005, "")), "\x88\x00"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %x, want %x", tc.name, tc.got, tc.want)
		}
	}
}

// TestCloseReason cuts reasons that are too long between characters.
func TestCloseReason(t *testing.T) {
	t.Parallel()
	for _, char := range []string{"a", "ä", "€", "🚀"} {
		for shift := range 4 {
			reason := strings.Repeat("x", shift) + strings.Repeat(char, 200)
			b := AppendClose(nil, 1001, reason)
			got := string(b[4:])
			if len(b) > 127 || len(got) <= maxReasonSize-len(char) || !utf8.ValidString(got) || !strings.HasPrefix(reason, got) {
				t.Errorf("%q after %d bytes: reason of %d bytes ends in %q", char, shift, len(got), got[len(got)-6:])
			}
			want := outcome{Messages: []Message{closing(1001, got)}}
			wantOutcome(t, readPieces(t, Config{}, b), want)
		}
	}
	whole := strings.Repeat("y", maxReasonSize)
	wantOutcome(t, readPieces(t, Config{}, AppendClose(nil, 1001, whole)),
		outcome{Messages: []Message{closing(1001, whole)}})
}

// TestBuildersMatchGobwas compares with the frames of gobwas/ws, and reads
// them back.
func TestBuildersMatchGobwas(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 7, 125, 126, 127, 1000, 65535, 65536, 100_000} {
		payload := bytes.Repeat([]byte("abcdefg"), n/7+1)[:n]
		for _, tc := range []struct {
			name  string
			got   []byte
			frame ws.Frame
			want  Kind
		}{
			{"text", AppendText(nil, payload), ws.NewTextFrame(payload), Text},
			{"binary", AppendBinary(nil, payload), ws.NewBinaryFrame(payload), Binary},
			{"masked", AppendMasked(nil, ws.OpText, payload, testKey),
				ws.MaskFrameWith(ws.NewTextFrame(payload), testKey), Text},
		} {
			compiled, err := ws.CompileFrame(tc.frame)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(tc.got, compiled) {
				t.Errorf("%s of %d bytes differs from gobwas/ws", tc.name, n)
			}
			cfg := Config{Server: tc.frame.Header.Masked}
			got := readPieces(t, cfg, tc.got)
			if got.Violation != 0 || len(got.Messages) != 1 || got.Messages[0].Kind != tc.want ||
				!bytes.Equal(got.Messages[0].Data, payload) {
				t.Errorf("%s of %d bytes is not read back: %s", tc.name, n, got.Violation)
			}
		}
	}
}
