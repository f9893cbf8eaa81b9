package engineio

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// latin1 holds the characters that clients 1.x and 2.x can be confused over.
var latin1 = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x80, Hi: 0xff, Stride: 1}}}

// textData draws UTF-8 from ASCII, Latin-1, BMP and astral characters, without
// the separator of V4 payloads, which text cannot contain there.
func textData() *rapid.Generator[string] {
	char := rapid.OneOf(
		rapid.RuneFrom([]rune{0, '\n', '\\', '"', ':', 'n', '4', 'b', 0x7f, 0x80, 0xff, 0x100, 0x2028, 0x2029, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff}),
		rapid.RuneFrom(nil, latin1),
		rapid.Rune(),
	)
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringOfN(char, 0, 40, -1).Draw(t, "text")
		return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x1e", "")
	})
}

// packets draws packets; binary ones are messages, as V4 requires.
func packets() *rapid.Generator[[]Packet] {
	one := rapid.Custom(func(t *rapid.T) Packet {
		if rapid.Bool().Draw(t, "binary") {
			return Packet{Type: Message, Binary: true, Data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "data")}
		}
		typ := rapid.SampledFrom([]Type{Open, Close, Ping, Pong, Message, Upgrade, Noop}).Draw(t, "type")
		return text(typ, textData().Draw(t, "data"))
	})
	return rapid.SliceOfN(one, 1, 10)
}

func TestPayloadRoundTrip(t *testing.T) {
	t.Parallel()
	forms := []struct {
		name   string
		decode decodePayload
		encode func([]byte, Packet) []byte
		size   func(Packet) int
		first  int // what the first packet takes less than size says
	}{
		{"v4", DecodePayload4, AppendPayload4, Payload4Size, 1},
		{"v3", decode3Single, AppendPayload3, Payload3Size, 0},
		{"v3 binary", DecodePayload3Binary, AppendPayload3Binary, Payload3BinarySize, 0},
	}
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				want := packets().Draw(t, "packets")
				size := -form.first
				var body []byte
				for _, p := range want {
					body = form.encode(body, p)
					size += form.size(p)
				}
				if size != len(body) {
					t.Errorf("%d bytes, the size function says %d", len(body), size)
				}
				got, err := collect(form.decode, body)
				if err != nil {
					t.Fatalf("%q: %v", body, err)
				}
				if d := diff(want, got); d != "" {
					t.Errorf("%q (-want +got):\n%s", body, d)
				}
			})
		})
	}
}

func TestFrameRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rev := rapid.SampledFrom([]Revision{V3, V4}).Draw(t, "revision")
		for _, want := range packets().Draw(t, "packets") {
			frame := AppendText(nil, rev, want)
			if len(frame) != textSize(rev, want) {
				t.Errorf("%q: %d bytes, textSize says %d", frame, len(frame), textSize(rev, want))
			}
			got, err := DecodeText(rev, frame)
			if d := diff(want, got); d != "" || err != nil {
				t.Errorf("%q: %v (-want +got):\n%s", frame, err, d)
			}
			if !want.Binary {
				continue
			}
			got, err = DecodeBinary(rev, AppendBinary(nil, rev, want))
			if d := diff(want, got); d != "" || err != nil {
				t.Errorf("binary: %v (-want +got):\n%s", err, d)
			}
		}
	})
}

// TestClients1xRoundTrip checks that whatever a client 1.x encodes twice is
// decoded, from the first body on.
func TestClients1xRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var d Payload3Decoder
		for range rapid.IntRange(1, 4).Draw(t, "bodies") {
			want := packets().Draw(t, "packets")
			var body []byte
			for _, p := range want {
				if !p.Binary {
					p.Data = []byte(double(string(p.Data)))
				}
				body = AppendPayload3(body, p)
			}
			got, err := collect(d.DecodeText, body)
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if df := diff(want, got); df != "" {
				t.Errorf("%q (-want +got):\n%s", body, df)
			}
		}
	})
}

// TestASCIIForAllClients checks that escaped JSON is the same payload whether a
// client encodes once or twice, and the same value.
func TestASCIIForAllClients(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := textData().Draw(t, "text")
		escaped := AppendASCII(nil, appendString(nil, want))
		if !IsASCII(escaped) || double(string(escaped)) != string(escaped) {
			t.Fatalf("%q is not ASCII", escaped)
		}
		var got string
		if err := json.Unmarshal(escaped, &got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", escaped, got, err, want)
		}
	})
}

func TestJSONPRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := textData().Draw(t, "payload")

		// A backslash before a newline is the one thing that the escape of the
		// clients does not keep apart: \<LF> is posted as \\n, and so is \n.
		payload := strings.ReplaceAll(want, "\\\n", "")
		for strings.Contains(payload, "\\\n") {
			payload = strings.ReplaceAll(payload, "\\\n", "")
		}
		form := url.Values{"t": {"x"}, "d": {jsonpEscape(payload)}, "z": {"d=1"}}.Encode()
		d, err := FormData([]byte(form))
		if err != nil {
			t.Fatal(err)
		}
		if got := DecodeJSONPBody(d); string(got) != payload {
			t.Errorf("posted %q, got %q", payload, got)
		}

		script := AppendJSONP(nil, "7", []byte(want))
		literal, ok := bytes.CutPrefix(script, []byte("___eio[7]("))
		literal, ok2 := bytes.CutSuffix(literal, []byte(");"))
		if !ok || !ok2 {
			t.Fatalf("script %q", script)
		}
		var got string
		if err := json.Unmarshal(literal, &got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", literal, got, err, want)
		}
		if strings.ContainsAny(string(literal), "\u2028\u2029") {
			t.Errorf("%q has a line separator", literal)
		}
	})
}

// TestUTF16 compares the counting of code units with package utf16.
func TestUTF16(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := textData().Draw(t, "text")
		units := utf16.Encode([]rune(s))
		if got := utf16Len([]byte(s)); got != len(units) {
			t.Errorf("utf16Len(%q) = %d, want %d", s, got, len(units))
		}
		if got, want := beyondLatin1([]byte(s)), strings.ContainsFunc(s, func(r rune) bool { return r > 0xff }); got != want {
			t.Errorf("beyondLatin1(%q) = %t, want %t", s, got, want)
		}
		n := rapid.IntRange(0, len(units)).Draw(t, "prefix")
		size, reason := utf16Prefix([]byte(s), n)
		if n < len(units) && n > 0 && utf16.IsSurrogate(rune(units[n])) && utf16.IsSurrogate(rune(units[n-1])) && units[n] >= 0xdc00 && units[n-1] < 0xdc00 {
			if reason != reasonLengthBreak {
				t.Errorf("utf16Prefix(%q, %d) = %d, %q; want an error", s, n, size, reason)
			}
			return
		}
		if want := string(utf16.Decode(units[:n])); reason != "" || s[:size] != want {
			t.Errorf("utf16Prefix(%q, %d) = %q, %q; want %q", s, n, s[:size], reason, want)
		}
		if !utf8.ValidString(s[:size]) {
			t.Errorf("%q is cut within a character", s[:size])
		}
	})
}
