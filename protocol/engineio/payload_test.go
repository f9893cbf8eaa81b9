package engineio

import (
	"errors"
	"strings"
	"testing"
)

// payloadVectors are payloads that decode to packets which encode to them.
var payloadVectors = []struct {
	name    string
	packets []Packet
	v3, v4  string
	v3bin   string
}{
	{
		name:    "open",
		packets: []Packet{text(Open, "{}")},
		v3:      "3:0{}", v4: "0{}", v3bin: "\x00\x03\xff0{}",
	},
	{
		name:    "ping",
		packets: []Packet{text(Ping, "")},
		v3:      "1:2", v4: "2", v3bin: "\x00\x01\xff2",
	},
	{
		name:    "euro",
		packets: []Packet{message("€")},
		v3:      "2:4\xe2\x82\xac", v4: "4€", v3bin: "\x00\x04\xff\x34\xe2\x82\xac",
	},
	{
		name:    "astral",
		packets: []Packet{message("😀x")},
		v3:      "4:4😀x", v4: "4😀x", v3bin: "\x00\x06\xff\x34\xf0\x9f\x98\x80x",
	},
	{
		name:    "three texts",
		packets: []Packet{message("hello"), message("€"), message("😀x")},
		v3:      "6:4hello2:4€4:4😀x", v4: "4hello\x1e4€\x1e4😀x",
		v3bin: "\x00\x06\xff4hello\x00\x04\xff4€\x00\x06\xff4😀x",
	},
	{
		name:    "text and binary",
		packets: []Packet{message("€"), binaryMessage("\x01\x02\x03\x04")},
		v3:      "2:4€10:b4AQIDBA==", v4: "4€\x1ebAQIDBA==",
		v3bin: "\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04",
	},
	{
		name:    "hello and binary",
		packets: []Packet{message("hello"), binaryMessage("\x01\x02\x03\x04")},
		v3:      "6:4hello10:b4AQIDBA==", v4: "4hello\x1ebAQIDBA==",
		v3bin: "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04",
	},
	{
		name:    "every form",
		packets: []Packet{text(Open, "{}"), message("€"), binaryMessage("\x01\x02\x03\x04"), text(Ping, "")},
		v3:      "3:0{}2:4€10:b4AQIDBA==1:2", v4: "0{}\x1e4€\x1ebAQIDBA==\x1e2",
		v3bin: "\x00\x03\xff0{}\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04\x00\x01\xff2",
	},
	{
		name:    "noop and close",
		packets: []Packet{text(Noop, ""), text(Close, "")},
		v3:      "1:61:1", v4: "6\x1e1", v3bin: "\x00\x01\xff6\x00\x01\xff1",
	},
	{
		name:    "two digits",
		packets: []Packet{binaryMessage("12345678901")},
		v3:      "18:b4MTIzNDU2Nzg5MDE=", v4: "bMTIzNDU2Nzg5MDE=", v3bin: "\x01\x01\x02\xff\x0412345678901",
	},
	{
		name:    "umlauts of a 2.x client",
		packets: []Packet{message(`20["echo","ünï😀"]`)},
		v3:      `19:420["echo","` + "\xc3\xbcn\xc3\xaf\xf0\x9f\x98\x80" + `"]`,
		v4:      `420["echo","ünï😀"]`,
		v3bin:   "\x00\x02\x03\xff" + `420["echo","ünï😀"]`,
	},
	{
		name:    "open with initial packet",
		packets: []Packet{text(Open, `{"sid":"5ngYPl4Cx2Usm6bQAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}`), message("0")},
		v3:      `97:0{"sid":"5ngYPl4Cx2Usm6bQAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}2:40`,
		v4:      `0{"sid":"5ngYPl4Cx2Usm6bQAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}` + "\x1e40",
		v3bin:   "\x00\x09\x07\xff" + `0{"sid":"5ngYPl4Cx2Usm6bQAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}` + "\x00\x02\xff40",
	},
}

func TestPayloadVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range payloadVectors {
		forms := []struct {
			name   string
			wire   string
			decode decodePayload
			encode func([]byte, Packet) []byte
			size   func(Packet) int
		}{
			{"v4", tt.v4, DecodePayload4, AppendPayload4, Payload4Size},
			{"v3", tt.v3, decode3, AppendPayload3, Payload3Size},
			{"v3 binary", tt.v3bin, DecodePayload3Binary, AppendPayload3Binary, Payload3BinarySize},
		}
		for _, form := range forms {
			t.Run(tt.name+"/"+form.name, func(t *testing.T) {
				t.Parallel()
				got, err := collect(form.decode, []byte(form.wire))
				if err != nil {
					t.Fatal(err)
				}
				if d := diff(tt.packets, got); d != "" {
					t.Errorf("decode (-want +got):\n%s", d)
				}
				var wire []byte
				for _, p := range tt.packets {
					before := len(wire)
					wire = form.encode(wire, p)
					added := len(wire) - before
					if form.name == "v4" && before == 0 {
						added++
					}
					if added != form.size(p) {
						t.Errorf("%v added %d bytes, the size function says %d", p, added, form.size(p))
					}
				}
				if string(wire) != form.wire {
					t.Errorf("encode = %q, want %q", wire, form.wire)
				}
			})
		}
	}
}

// TestMalformed checks that the packets before an error are yielded, and where
// and what the error is.
func TestMalformed(t *testing.T) {
	t.Parallel()
	a, ping := message("a"), text(Ping, "")
	tests := []struct {
		name   string
		decode decodePayload
		form   string
		body   string
		want   []Packet
		offset int
		reason string
	}{
		{"empty", DecodePayload4, "v4 payload", "", nil, 0, reasonEmpty},
		{"empty record", DecodePayload4, "v4 payload", "4a\x1e\x1e4b", []Packet{a}, 3, reasonEmpty},
		{"leading separator", DecodePayload4, "v4 payload", "\x1e4a", nil, 0, reasonEmpty},
		{"trailing separator", DecodePayload4, "v4 payload", "4a\x1e", []Packet{a}, 3, reasonEmpty},
		{"letter", DecodePayload4, "v4 payload", "abc", nil, 0, reasonType},
		{"digit", DecodePayload4, "v4 payload", "2\x1e7", []Packet{ping}, 2, reasonType},
		{"stray byte", DecodePayload4, "v4 payload", "4a\x1e\xff", []Packet{a}, 3, reasonUTF8},
		{"bad text", DecodePayload4, "v4 payload", "4a\x1e4\xc3", []Packet{a}, 3, reasonUTF8},
		{"surrogate", DecodePayload4, "v4 payload", "4\xed\xa0\x80", nil, 0, reasonUTF8},
		{"split character", DecodePayload4, "v4 payload", "4\xe2\x82\x1e\xac", nil, 0, reasonUTF8},
		{"base64", DecodePayload4, "v4 payload", "b!!!", nil, 0, reasonBase64},

		{"empty", decode3, form3Text, "", nil, 0, reasonEmptyBody},
		{"empty list", decode3, form3Text, "0:", nil, 0, reasonEmpty},
		{"many zeros", decode3, form3Text, "0000000000:", nil, 0, reasonEmpty},
		{"too long", decode3, form3Text, "7:4hello", nil, 0, reasonShort},
		{"second too long", decode3, form3Text, "2:4a1:25:4€ab", []Packet{a, ping}, 9, reasonShort},
		{"too long in bytes", decode3, form3Text, "99:4a", nil, 0, reasonShort},
		{"far too long", decode3, form3Text, "9999999999:4a", nil, 0, reasonShort},
		{"eleven digits", decode3, form3Text, "00000000002:4a", nil, 0, reasonLengthLong},
		{"digits only", decode3, form3Text, "2:4a12", []Packet{a}, 4, reasonLengthNone},
		{"no digits", decode3, form3Text, ":4a", nil, 0, reasonLengthNone},
		{"sign", decode3, form3Text, "+2:4a", nil, 0, reasonLength},
		{"negative", decode3, form3Text, "-1:4a", nil, 0, reasonLength},
		{"exponent", decode3, form3Text, "1e1:4hello4hello", nil, 0, reasonLength},
		{"space", decode3, form3Text, " 2:4a", nil, 0, reasonLength},
		{"v4 payload", decode3, form3Text, "4hello", nil, 0, reasonLength},
		{"Arabic digits", decode3, form3Text, "٢:4a", nil, 0, reasonLength},
		{"half an astral", decode3, form3Text, "2:4😀", nil, 2, reasonLengthBreak},
		{"bad type", decode3, form3Text, "2:4a2:7a", []Packet{a}, 6, reasonType},
		{"bad base64", decode3, form3Text, "5:b4A!!", nil, 2, reasonBase64},
		{"bad text", decode3, form3Text, "2:4a2:4\xff", []Packet{a}, 6, reasonUTF8},
		{"cut text", decode3, form3Text, "2:4\xe2\x82", nil, 2, reasonUTF8},
		{"surrogate", decode3, form3Text, "2:4\xed\xa0\x80", nil, 2, reasonUTF8},

		{"empty", DecodePayload3Binary, form3Binary, "", nil, 0, reasonEmptyBody},
		{"kind", DecodePayload3Binary, form3Binary, "\x00\x02\xff4a\x02\x01\xff\x04", []Packet{a}, 5, "unknown kind of record"},
		{"v3 text", DecodePayload3Binary, form3Binary, "2:4a", nil, 0, "unknown kind of record"},
		{"no length", DecodePayload3Binary, form3Binary, "\x00\xff4a", nil, 0, reasonLengthNone},
		{"length only", DecodePayload3Binary, form3Binary, "\x00\x02", nil, 0, reasonLengthNone},
		{"kind only", DecodePayload3Binary, form3Binary, "\x00", nil, 0, reasonLengthNone},
		{"ASCII digits", DecodePayload3Binary, form3Binary, "\x002\xff4a", nil, 0, reasonLength},
		{"digit ten", DecodePayload3Binary, form3Binary, "\x00\x0a\xff4a", nil, 0, reasonLength},
		{"empty text", DecodePayload3Binary, form3Binary, "\x00\x00\xff", nil, 3, reasonEmpty},
		{"empty binary", DecodePayload3Binary, form3Binary, "\x01\x00\xff", nil, 3, reasonEmpty},
		{"too long", DecodePayload3Binary, form3Binary, "\x00\x03\xff4a", nil, 0, reasonShort},
		{"far too long", DecodePayload3Binary, form3Binary, "\x00" + strings.Repeat("\x09", 10) + "\xff4a", nil, 0, reasonShort},
		{"eleven digits", DecodePayload3Binary, form3Binary, "\x00" + strings.Repeat("\x00", 10) + "\x02\xff4a", nil, 0, reasonLengthLong},
		{"bad type", DecodePayload3Binary, form3Binary, "\x00\x02\xff4a\x01\x01\xff4", []Packet{a}, 8, reasonType},
		{"bad text", DecodePayload3Binary, form3Binary, "\x00\x02\xff4\xff", nil, 3, reasonUTF8},
	}
	for _, tt := range tests {
		t.Run(tt.form+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := collect(tt.decode, []byte(tt.body))
			checkReason(t, err, tt.form, tt.reason)
			if syntax, ok := errors.AsType[*SyntaxError](err); ok && syntax.Offset != tt.offset {
				t.Errorf("%v; want byte %d", err, tt.offset)
			}
			if d := diff(tt.want, got); d != "" {
				t.Errorf("packets before the error (-want +got):\n%s", d)
			}
		})
	}
}

// TestYieldStops checks that an error of yield ends the decoding and comes back
// as it is.
func TestYieldStops(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	for _, tt := range payloadVectors {
		for body, decode := range map[string]decodePayload{tt.v3: decode3, tt.v4: DecodePayload4, tt.v3bin: DecodePayload3Binary} {
			n := 0
			err := decode([]byte(body), func(Packet) error {
				n++
				return stop
			})
			if err != stop || n != 1 {
				t.Errorf("%q: error %v after %d packets, want the error of yield after 1", body, err, n)
			}
		}
	}
}

func TestSyntaxErrorText(t *testing.T) {
	t.Parallel()
	_, err := collect(decode3, []byte("2:4a7:4b"))
	want := "engineio: malformed v3 text payload at byte 4: length exceeds what is left"
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
