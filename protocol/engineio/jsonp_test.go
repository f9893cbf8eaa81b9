package engineio

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestJSONPIndex(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"3": "3", "0042": "0042", "": "", "abc": "", "-1": "1", "1.5": "15",
		"1](alert(1))//": "11", "٣": "", "2\x00": "2",
	}
	for j, want := range tests {
		if got := JSONPIndex(j); got != want {
			t.Errorf("JSONPIndex(%q) = %q, want %q", j, got, want)
		}
	}
}

func TestAppendJSONP(t *testing.T) {
	t.Parallel()
	tests := []struct{ index, payload, want string }{
		{"3", "6:4hello", `___eio[3]("6:4hello");`},
		{"3", "4a\nb\\nc", `___eio[3]("4a\nb\\nc");`},
		{"0", `113:0{"sid":"x"}`, `___eio[0]("113:0{\"sid\":\"x\"}");`},
		{"1", "\x00\x1e\x1f\b\f\n\r\t\x7f", `___eio[1]("\u0000\u001e\u001f\b\f\n\r\t` + "\x7f" + `");`},
		{"1", "\u2027\u2028\u2029\u202a€😀", "___eio[1](\"\u2027" + `\u2028\u2029` + "\u202a€😀\");"},
		{"1", "</script>&'", `___eio[1]("</script>&'");`},
		{"1](alert)//", "4", `___eio[1]("4");`},
		{"", "", `___eio[]("");`},
		// Cut off within what could have become U+2028.
		{"1", "\xe2\x80", "___eio[1](\"\xe2\x80\");"},
	}
	for _, tt := range tests {
		if got := AppendJSONP([]byte("x"), tt.index, []byte(tt.payload)); string(got) != "x"+tt.want {
			t.Errorf("AppendJSONP(x, %q, %q) = %q, want x%q", tt.index, tt.payload, got, tt.want)
		}
	}
}

func TestDecodeJSONPBody(t *testing.T) {
	t.Parallel()
	tests := []struct{ d, want string }{
		{`4a\nb\\nc`, "4a\nb\\nc"},
		{`\n`, "\n"},
		{`\\n`, `\n`},
		{`\\\n`, `\\n`},
		{`\\\\n`, `\\\n`},
		{`\n\n`, "\n\n"},
		{`\\n\n`, "\\n\n"},
		{`\n\\n`, "\n\\n"},
		{`\nn\\nn`, "\nn\\nn"},
		{`\\`, `\\`},
		{`\`, `\`},
		{`a\tb\"c\\d`, `a\tb\"c\\d`},
		{"\\\nn", "\\\nn"},
		{`4hello`, `4hello`},
		{``, ``},
	}
	for _, tt := range tests {
		if got := DecodeJSONPBody([]byte(tt.d)); string(got) != tt.want {
			t.Errorf("DecodeJSONPBody(%q) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestFormData(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body, want string
		err        string
	}{
		{body: `d=4a%5Cnb%5C%5Cnc`, want: `4a\nb\\nc`},
		{body: "d=6:4hello", want: "6:4hello"},
		{body: "d=", want: ""},
		{body: "d=2%3A4%e2%82%AC+x", want: "2:4€ x"},
		{body: "d=a=b", want: "a=b"},
		{body: "a=1&d=2&d=3&e=4", want: "2"},
		{body: "&&d=2", want: "2"},
		{body: "d=%00%ff%26", want: "\x00\xff&"},
		{body: "", err: "engineio: malformed form at byte 0: no field d"},
		{body: "d", err: "engineio: malformed form at byte 1: no field d"},
		{body: "dd=1&x=d=2", err: "engineio: malformed form at byte 10: no field d"},
		{body: "a=1&d=x%", err: "engineio: malformed form at byte 7: malformed percent escape"},
		{body: "d=x%4", err: "engineio: malformed form at byte 3: malformed percent escape"},
		{body: "d=%4g", err: "engineio: malformed form at byte 2: malformed percent escape"},
		{body: "d=%g4", err: "engineio: malformed form at byte 2: malformed percent escape"},
		{body: "d=%4&1=", err: "engineio: malformed form at byte 2: malformed percent escape"},
	}
	for _, tt := range tests {
		got, err := FormData([]byte(tt.body))
		if tt.err != "" {
			if err == nil || err.Error() != tt.err || !errors.Is(err, ErrPacket) {
				t.Errorf("FormData(%q): error %v, want %s", tt.body, err, tt.err)
			}
			continue
		}
		if err != nil || string(got) != tt.want {
			t.Errorf("FormData(%q) = %q, %v; want %q", tt.body, got, err, tt.want)
		}
	}
}

// TestJSONPPost goes the way of a posted body.
func TestJSONPPost(t *testing.T) {
	t.Parallel()
	d, err := FormData([]byte(`d=7:4a%5Cnb%5C%5Cnc`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(decode3, DecodeJSONPBody(d))
	if err != nil {
		t.Fatal(err)
	}
	if df := diff([]Packet{message("a\nb\\nc")}, got); df != "" {
		t.Errorf("packets (-want +got):\n%s", df)
	}
	payload := AppendPayload4(nil, got[0])
	if script := AppendJSONP(nil, "3", payload); string(script) != `___eio[3]("4a\nb\\nc");` {
		t.Errorf("script %s", script)
	}
}

// jsonpEscape is what a JSONP client does to newlines before it posts.
func jsonpEscape(s string) string {
	s = strings.ReplaceAll(s, `\n`, `\\n`)
	return strings.ReplaceAll(s, "\n", `\n`)
}

func TestAppendASCII(t *testing.T) {
	t.Parallel()
	tests := []struct{ json, want string }{
		{`["hello",1]`, `["hello",1]`},
		{`"é"`, `"\u00e9"`},
		{`["ünï😀","€"]`, `["\u00fcn\u00ef\ud83d\ude00","\u20ac"]`},
		{"\"\u0080\uffff\U00010000\U0010ffff\"", `"\u0080\uffff\ud800\udc00\udbff\udfff"`},
		{`"\n\u00e9é"`, `"\n\u00e9\u00e9"`},
		{"\"\u2028\x7f\"", "\"\\u2028\x7f\""},
		{"\"\xff\xc3\"", `"\ufffd\ufffd"`},
		{"", ""},
	}
	for _, tt := range tests {
		got := AppendASCII([]byte("x"), []byte(tt.json))
		if string(got) != "x"+tt.want {
			t.Errorf("AppendASCII(x, %q) = %q, want x%q", tt.json, got, tt.want)
		}
		if !IsASCII(got) {
			t.Errorf("%q is not ASCII", got)
		}
	}
}

// TestIsASCII puts a byte at every position around the word size.
func TestIsASCII(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		b := bytes.Repeat([]byte{0x7f}, n)
		if !IsASCII(b) {
			t.Errorf("%q is ASCII", b)
		}
		for i := range n {
			b[i] = 0x80
			if got := asciiPrefix(b); got != i || IsASCII(b) {
				t.Errorf("asciiPrefix(%q) = %d, IsASCII %t; want %d, false", b, got, IsASCII(b), i)
			}
			b[i] = 0x7f
		}
	}
}
