package engineio

import (
	"bytes"
	"runtime"
	"testing"
)

// A known attack on Engine.IO parsers is one body of very many tiny packets
// (CVE-2020-36048). These tests measure a body of 1 MB, the default limit.

// attack is a body made of one minimal record again and again.
type attack struct {
	name   string
	decode decodePayload
	record string // "\x1e" at its end is cut from the last one
	allocs int    // allocations allowed for a body of 1 MB, beside those of the test
	factor int    // bytes allowed to be allocated, in percent of the body
}

var attacks = []attack{
	{"v4 noop", DecodePayload4, "6\x1e", 0, 0},
	{"v4 empty message", DecodePayload4, "4\x1e", 0, 0},
	{"v4 character", DecodePayload4, "4é\x1e", 0, 0},
	{"v4 empty base64", DecodePayload4, "b\x1e", 0, 0},
	{"v4 base64", DecodePayload4, "bAA\x1e", 256, 50},
	{"v3 noop", decode3, "1:6", 0, 0},
	{"v3 zeros", decode3, "0000000001:6", 0, 0},
	{"v3 character", decode3Single, "2:4é", 0, 0},
	{"v3 character beyond Latin-1", decode3, "2:4€", 0, 0},
	{"v3 character encoded twice", decode3, "3:4" + double("é"), 256, 100},
	{"v3 surrogate encoded twice", decode3, "4:4" + double("\xed\xa0\x80"), 256, 100},
	{"v3 base64", decode3, "4:b4AA", 256, 50},
	{"v3 binary noop", DecodePayload3Binary, "\x00\x01\xff6", 0, 0},
	{"v3 binary zeros", DecodePayload3Binary, "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x04", 0, 0},
	{"v3 binary base64", DecodePayload3Binary, "\x00\x04\xffb4AA", 256, 50},
}

// testAllocs is what run itself allocates: its counter, its closure and for V3
// text a decoder.
const testAllocs = 3

// body returns n copies of the record.
func (a attack) body(n int) []byte {
	return bytes.TrimSuffix(bytes.Repeat([]byte(a.record), n), []byte("\x1e"))
}

// run decodes body and returns how many packets it holds.
func (a attack) run(t testing.TB, body []byte) int {
	n := 0
	if err := a.decode(body, func(Packet) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLinear counts what decoding allocates: next to nothing for packets that
// alias the body, and for others an allocation for every few kilobytes, of a
// size that the body bounds.
func TestLinear(t *testing.T) { // not parallel: it reads counters of the process
	const size = 1 << 20
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			n := size / len(a.record)
			body := a.body(n)
			if got := a.run(t, body); got != n {
				t.Fatalf("%d packets, want %d", got, n)
			}
			if allocs := testing.AllocsPerRun(1, func() { a.run(t, body) }); allocs > float64(a.allocs+testAllocs) {
				t.Errorf("%.0f allocations for %d packets, want at most %d", allocs, n, a.allocs+testAllocs)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a.run(t, body)
			runtime.ReadMemStats(&after)
			// The counter is the whole process's, the runtime's own work included.
			const noise = 64 << 10
			if grown := int(after.TotalAlloc - before.TotalAlloc); grown > size*a.factor/100+arenaChunk+noise {
				t.Errorf("%d bytes allocated for a body of %d, want at most %d %%", grown, size, a.factor)
			}
			// A quarter of the body may not take more than its share.
			quarter := a.body(n / 4)
			if allocs := testing.AllocsPerRun(1, func() { a.run(t, quarter) }); allocs > float64(a.allocs/4+testAllocs) {
				t.Errorf("%.0f allocations for a quarter, want at most %d", allocs, a.allocs/4+testAllocs)
			}
		})
	}
}

// TestClaimedLength checks that a length costs nothing before the bytes exist.
func TestClaimedLength(t *testing.T) { // not parallel: it counts allocations
	bodies := map[string]decodePayload{
		"9999999999:4a": decode3,
		"\x01\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff\x04": DecodePayload3Binary,
	}
	for body, decode := range bodies {
		b := []byte(body)
		allocs := testing.AllocsPerRun(100, func() {
			if err := decode(b, func(Packet) error { return nil }); err == nil {
				t.Fatal("no error")
			}
		})
		if allocs > 2 {
			t.Errorf("%q: %.0f allocations, want the error and the decoder", body, allocs)
		}
	}
}

// TestNoAllocs holds the hot paths to none.
func TestNoAllocs(t *testing.T) { // not parallel: it counts allocations
	dst := make([]byte, 0, 4096)
	p, bin := message(`2["news",{"a":1,"b":"€"}]`), binaryMessage("0123456789abcdef")
	frame, frame3 := []byte("4hello"), []byte("\x04hello")
	h := Handshake{SID: "9GUtsQQqO-x_RtDwAAAA", Upgrades: []string{"websocket"}, MaxPayload: 1000000}
	yield := func(Packet) error { return nil }
	payload4, payload3 := []byte("4hello\x1e2\x1e4€"), []byte("6:4hello1:22:4€")
	var d Payload3Decoder
	paths := map[string]func(){
		"DecodeText":           func() { _, _ = DecodeText(V4, frame) },
		"DecodeBinary":         func() { _, _ = DecodeBinary(V3, frame3) },
		"DecodePayload4":       func() { _ = DecodePayload4(payload4, yield) },
		"Payload3Decoder":      func() { _ = d.DecodeText(payload3, yield) },
		"AppendText":           func() { AppendText(dst, V3, bin) },
		"AppendBinary":         func() { AppendBinary(dst, V3, bin) },
		"AppendPayload4":       func() { AppendPayload4(AppendPayload4(dst, p), bin) },
		"AppendPayload3":       func() { AppendPayload3(AppendPayload3(dst, p), bin) },
		"AppendPayload3Binary": func() { AppendPayload3Binary(AppendPayload3Binary(dst, p), bin) },
		"AppendJSONP":          func() { AppendJSONP(dst, "3", p.Data) },
		"AppendASCII":          func() { AppendASCII(dst, p.Data) },
		"AppendOpen":           func() { AppendOpen(dst, h) },
	}
	for name, run := range paths {
		if allocs := testing.AllocsPerRun(100, run); allocs != 0 {
			t.Errorf("%s: %.1f allocations, want none", name, allocs)
		}
	}
}
