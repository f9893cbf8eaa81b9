package msgpack_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

func TestAppendValues(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]" }
	object := func(n int) string {
		return "{" + strings.TrimSuffix(strings.Repeat(`"":0,`, n), ",") + "}"
	}
	zeros := func(n int) string { return strings.Repeat("00", n) }
	tests := []struct{ json, want string }{
		{`null`, "c0"}, {`false`, "c2"}, {`true`, "c3"},
		{`0`, "00"}, {`-0`, "00"}, {`127`, "7f"}, {`128`, "cc80"}, {`255`, "ccff"}, {`256`, "cd0100"}, {`65535`, "cdffff"}, {`65536`, "ce00010000"},
		{`4294967295`, "ceffffffff"}, {`4294967296`, "cf0000000100000000"}, {`9007199254740993`, "cf0020000000000001"}, {`18446744073709551615`, "cfffffffffffffffff"},
		{`-1`, "ff"}, {`-32`, "e0"}, {`-33`, "d0df"}, {`-128`, "d080"}, {`-129`, "d1ff7f"}, {`-32768`, "d18000"}, {`-32769`, "d2ffff7fff"},
		{`-2147483648`, "d280000000"}, {`-2147483649`, "d3ffffffff7fffffff"}, {`-9223372036854775808`, "d38000000000000000"},
		{`18446744073709551616`, "cb43f0000000000000"}, {`-9223372036854775809`, "cbc3e0000000000000"},
		{`1.5`, "cb3ff8000000000000"}, {`2.0`, "cb4000000000000000"}, {`1e2`, "cb4059000000000000"}, {`1e999`, "cb7ff0000000000000"},
		{`""`, "a0"}, {`"é"`, "a2c3a9"}, {`"\u00e9\n"`, "a3c3a90a"}, {`"\ud800"`, "a3efbfbd"}, {`"\ud83d\ude00"`, "a4f09f9880"},
		{`"` + long(31) + `"`, "bf" + hex.EncodeToString([]byte(long(31)))},
		{`"` + long(32) + `"`, "d920" + hex.EncodeToString([]byte(long(32)))},
		{`"` + long(255) + `"`, "d9ff" + hex.EncodeToString([]byte(long(255)))},
		{`"` + long(256) + `"`, "da0100" + hex.EncodeToString([]byte(long(256)))},
		{`"` + long(65536) + `"`, "db00010000" + hex.EncodeToString([]byte(long(65536)))},
		{`[]`, "90"}, {`[ 1 , [ ] , "b" ]`, "930190a162"},
		{list(15), "9f" + zeros(15)}, {list(16), "dc0010" + zeros(16)}, {list(65535), "dcffff" + zeros(65535)}, {list(65536), "dd00010000" + zeros(65536)},
		{`{}`, "80"}, {` { "a" : 1 , "b" : { } } `, "82a16101a16280"},
		{object(15), "8f" + strings.Repeat("a000", 15)}, {object(16), "de0010" + strings.Repeat("a000", 16)},
		{object(65536), "df00010000" + strings.Repeat("a000", 65536)},
		{`[` + list(16) + `,` + list(16) + `]`, "92dc0010" + zeros(16) + "dc0010" + zeros(16)},
		{`{"_placeholder":true,"num":0}`, "82ac5f706c616365686f6c646572c3a36e756d00"},
	}
	const prefix = "83a47479706502a36e7370a12fa464617461"
	for _, tt := range tests {
		got, err := msgpack.Append(nil, protocol.Frames{Text: []byte(`2["a",` + tt.json + `]`)})
		if err != nil {
			t.Errorf("%.40s: %v", tt.json, err)
		} else if want := prefix + "92a161" + tt.want; hex.EncodeToString(got) != want {
			t.Errorf("%.40s: got %.80s, want %.80s", tt.json, hex.EncodeToString(got), want)
		}
	}
}

func TestAppendBinary(t *testing.T) {
	t.Parallel()
	blob := func(n int) []byte { return make([]byte, n) }
	for _, tt := range []struct {
		n    int
		head string
	}{{0, "c400"}, {255, "c4ff"}, {256, "c50100"}, {65535, "c5ffff"}, {65536, "c600010000"}} {
		f := protocol.Frames{Text: []byte(`51-["a",{"b":[{ "num" : 0 , "x" : [1,2] , "_placeholder" : true },1]}]`), Binary: [][]byte{blob(tt.n)}}
		got, err := msgpack.Append(nil, f)
		want := "83a47479706502a36e7370a12fa46461746192a16181a16292" + tt.head + strings.Repeat("00", tt.n) + "01"
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%d bytes: got %.80x, %v, want %.80s", tt.n, got, err, want)
		}
	}
	// The same attachment may stand in two places.
	f := protocol.Frames{Text: []byte(`61-7[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`), Binary: [][]byte{{9}}}
	got, err := msgpack.Append(nil, f)
	if want := "84a47479706503a36e7370a12fa2696407a46461746192c40109c40109"; err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
}

func TestAppendOtherPackets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text []byte
		want string
	}{
		{protocol.AppendConnect(nil, "/", nil), "82a47479706500a36e7370a12f"},
		{protocol.AppendConnect(nil, "/chat", []byte(`{"sid":"x"}`)), "83a47479706500a36e7370a52f63686174a46461746181a3736964a178"},
		{protocol.AppendDisconnect(nil, "/chat"), "82a47479706501a36e7370a52f63686174"},
		{protocol.AppendConnectError(nil, "/", []byte(`"no"`)), "83a47479706504a36e7370a12fa464617461a26e6f"},
	} {
		got, err := msgpack.Append(nil, protocol.Frames{Text: tt.text})
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%s: got %x, %v, want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestAppendRejects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		bin  int
	}{
		{"", 0}, {"7", 0}, {"x", 0}, {`2`, 0}, {`2{}`, 0}, {`2["a"`, 0}, {`2["a"]x`, 0}, {`2["a",tru]`, 0}, {`2["a"] `, 0}, {`3{}`, 0},
		{`0[]`, 0}, {`0{`, 0}, {`1{}`, 0}, {`4[]`, 0},
		{`2["a"]`, 1}, {`51-["a"]`, 0}, {`51-["a"]`, 2}, {`5-["a"]`, 0}, {`5["a"]`, 0}, {`51`, 1}, {`599999999999999999999-["a"]`, 1},
		{`51-["a",{"_placeholder":true,"num":1}]`, 1}, {`51-["a",{"_placeholder":true}]`, 1},
		{`299999999999999999999999["a"]`, 0}, {`2/a["a"]`, 0},
		{`2["a",` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `]`, 0},
	} {
		f := protocol.Frames{Text: []byte(tt.text), Binary: make([][]byte, tt.bin)}
		got, err := msgpack.Append([]byte("keep"), f)
		if !errors.Is(err, msgpack.ErrFrames) || string(got) != "keep" {
			t.Errorf("%.40s with %d attachments: %q, %v", tt.text, tt.bin, got, err)
		}
	}
}
