package engineio

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// The seeds are in testdata/fuzz, one file each, and run with every go test.

// fuzzPayload checks what holds for any body: no panic, an error within the
// body or none, output not larger than the input, the input left alone, and
// that the packets survive being encoded and decoded again.
func fuzzPayload(t *testing.T, body []byte, decode, again decodePayload, encode func([]byte, Packet) []byte) {
	before := bytes.Clone(body)
	ps, err := collect(decode, body)
	if !bytes.Equal(before, body) {
		t.Fatalf("%q became %q", before, body)
	}
	if err != nil {
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || syntax.Offset < 0 || syntax.Offset > len(body) {
			t.Fatalf("error %v for %d bytes", err, len(body))
		}
	}
	if err == nil && len(ps) == 0 {
		t.Error("neither a packet nor an error")
	}
	total := 0
	var wire []byte
	for _, p := range ps {
		total += 1 + len(p.Data)
		checkPacket(t, p)
		wire = encode(wire, p)
	}
	if total > len(body) {
		t.Errorf("%d bytes of packets out of %d", total, len(body))
	}
	if len(ps) == 0 {
		return
	}
	back, err := collect(again, wire)
	if err != nil {
		t.Fatalf("%q, encoded again: %v", wire, err)
	}
	if d := diff(ps, back); d != "" {
		t.Errorf("encoded again (-want +got):\n%s", d)
	}
}

func checkPacket(t *testing.T, p Packet) {
	if !p.Type.Valid() {
		t.Errorf("type %q", byte(p.Type))
	}
	if cap(p.Data) != len(p.Data) {
		t.Errorf("data has capacity beyond its length")
	}
	if !p.Binary && !utf8.Valid(p.Data) {
		t.Errorf("text %q is not UTF-8", p.Data)
	}
}

func FuzzDecodePayload4(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzPayload(t, body, DecodePayload4, DecodePayload4, AppendPayload4)
	})
}

func FuzzDecodePayload3Text(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzPayload(t, body, decode3Single, decode3Single, AppendPayload3)
		fuzzPayload(t, body, decode3, decode3Single, AppendPayload3)

		// Both readings agree on how many packets there are and on the error.
		once, err1 := collect(decode3Single, body)
		twice, err2 := collect(decode3, body)
		if len(once) != len(twice) || (err1 == nil) != (err2 == nil) {
			t.Errorf("%d packets, %v, read once; %d packets, %v, read twice", len(once), err1, len(twice), err2)
		}
	})
}

func FuzzDecodePayload3Binary(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzPayload(t, body, DecodePayload3Binary, DecodePayload3Binary, AppendPayload3Binary)
	})
}

func FuzzDecodeText(f *testing.F) {
	f.Fuzz(func(t *testing.T, v4 bool, frame []byte) {
		rev := V3
		if v4 {
			rev = V4
		}
		p, err := DecodeText(rev, frame)
		if err != nil {
			if !errors.Is(err, ErrPacket) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if utf8.Valid(frame) {
			checkPacket(t, p)
		}
		wire := AppendText(nil, rev, p)
		if !p.Binary && !bytes.Equal(wire, frame) {
			t.Errorf("%q became %q", frame, wire)
		}
		back, err := DecodeText(rev, wire)
		if d := diff(p, back); d != "" || err != nil {
			t.Errorf("encoded again: %v (-want +got):\n%s", err, d)
		}
	})
}

func FuzzDecodeBinary(f *testing.F) {
	f.Fuzz(func(t *testing.T, v4 bool, frame []byte) {
		rev := V3
		if v4 {
			rev = V4
		}
		p, err := DecodeBinary(rev, frame)
		if err != nil {
			if rev == V4 || !errors.Is(err, ErrPacket) {
				t.Fatalf("error %v in revision %d", err, rev)
			}
			return
		}
		checkPacket(t, p)
		if wire := AppendBinary(nil, rev, p); !bytes.Equal(wire, frame) {
			t.Errorf("%q became %q", frame, wire)
		}
	})
}

func FuzzFormData(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		d, err := FormData(body)
		if !bytes.Equal(before, body) {
			t.Fatalf("%q became %q", before, body)
		}
		if len(d) > len(body) || (err != nil && !errors.Is(err, ErrPacket)) {
			t.Fatalf("%d bytes out of %d, error %v", len(d), len(body), err)
		}
		// Where net/url reads the body without complaint and the name of no
		// field is escaped, it is to find the same.
		values, urlErr := url.ParseQuery(string(body))
		if urlErr != nil || !strings.Contains("&"+string(body), "&d=") {
			return
		}
		if err != nil {
			t.Fatalf("error %v, net/url has none", err)
		}
		for _, v := range values["d"] {
			if v == string(d) {
				return
			}
		}
		t.Errorf("%q, net/url has %q", d, values["d"])
	})
}

// singleNewline matches \n and, if there is one, the backslash before it.
var singleNewline = regexp.MustCompile(`(\\)?\\n`)

func FuzzJSONPBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, d []byte) {
		// The reference server replaces in two passes: first each \n that no
		// backslash precedes, then each \\n.
		pass := singleNewline.ReplaceAllStringFunc(string(d), func(m string) string {
			if len(m) == 3 {
				return m
			}
			return "\n"
		})
		want := strings.ReplaceAll(pass, `\\n`, `\n`)
		if got := DecodeJSONPBody(bytes.Clone(d)); string(got) != want {
			t.Errorf("DecodeJSONPBody(%q) = %q, want %q", d, got, want)
		}
	})
}

func FuzzAppendJSONP(f *testing.F) {
	f.Fuzz(func(t *testing.T, j string, payload []byte) {
		index := JSONPIndex(j)
		if strings.Trim(index, "0123456789") != "" {
			t.Fatalf("index %q", index)
		}
		script := AppendJSONP(nil, j, payload)
		if !bytes.Equal(script, AppendJSONP(nil, index, payload)) {
			t.Errorf("the index %q is treated otherwise than %q", j, index)
		}
		literal := bytes.TrimSuffix(bytes.TrimPrefix(script, []byte("___eio["+index+"](")), []byte(");"))
		if len(literal) != len(script)-len("___eio[](")-len(index)-len(");") {
			t.Fatalf("script %q", script)
		}
		var got string
		if err := json.Unmarshal(literal, &got); err != nil {
			t.Fatalf("%s: %v", literal, err)
		}
		if utf8.Valid(payload) && got != string(payload) {
			t.Errorf("%s is %q, want %q", literal, got, payload)
		}
	})
}

func FuzzAppendASCII(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		in := appendString(nil, text)
		out := AppendASCII(nil, in)
		if !IsASCII(out) || len(out) > 6*len(in) {
			t.Fatalf("%q became %q", in, out)
		}
		var want, got string
		if err := json.Unmarshal(in, &want); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if err := json.Unmarshal(out, &got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", out, got, err, want)
		}
	})
}

func FuzzParseOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseOpen(data)
		if err != nil {
			if !errors.Is(err, ErrPacket) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if h.SID == "" || h.PingInterval <= 0 || h.PingTimeout <= 0 || h.MaxPayload < 0 {
			t.Fatalf("%s is %+v", data, h)
		}
		back, err := ParseOpen(AppendOpen(nil, h)[1:])
		if err != nil || back.SID != h.SID || back.PingInterval != h.PingInterval || back.PingTimeout != h.PingTimeout || back.MaxPayload != h.MaxPayload || strings.Join(back.Upgrades, "\x00") != strings.Join(h.Upgrades, "\x00") {
			t.Errorf("%+v, then %+v, %v", h, back, err)
		}
	})
}
