package engineio

import (
	"strings"
	"testing"
)

// benchPackets is a batch as a busy session flushes it: 16 events of 128 bytes
// and an attachment of 256.
func benchPackets(char string) []Packet {
	var ps []Packet
	for range 16 {
		data := `2["news",{"text":"` + char + strings.Repeat("x", 107-len(char)) + `"}]`
		ps = append(ps, message(data))
	}
	return append(ps, binaryMessage(strings.Repeat("\xa5", 256)))
}

var benchForms = []struct {
	name   string
	char   string
	encode func([]byte, Packet) []byte
	decode decodePayload
}{
	{"v4", "€", AppendPayload4, DecodePayload4},
	{"v3-ascii", "x", AppendPayload3, decode3},
	{"v3", "€", AppendPayload3, decode3},
	{"v3-1.x", double("€"), AppendPayload3, decode3},
	{"v3-binary", "€", AppendPayload3Binary, DecodePayload3Binary},
}

func BenchmarkAppendPayload(b *testing.B) {
	for _, form := range benchForms {
		b.Run(form.name, func(b *testing.B) {
			b.ReportAllocs()
			ps := benchPackets(form.char)
			var body []byte
			for b.Loop() {
				body = body[:0]
				for _, p := range ps {
					body = form.encode(body, p)
				}
			}
			b.SetBytes(int64(len(body)))
		})
	}
}

func BenchmarkDecodePayload(b *testing.B) {
	for _, form := range benchForms {
		b.Run(form.name, func(b *testing.B) {
			b.ReportAllocs()
			var body []byte
			for _, p := range benchPackets(form.char) {
				body = form.encode(body, p)
			}
			b.SetBytes(int64(len(body)))
			yield := func(Packet) error { return nil }
			for b.Loop() {
				if err := form.decode(body, yield); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAttack decodes bodies of 1 MB that hold as many packets as they can.
func BenchmarkAttack(b *testing.B) {
	for _, a := range attacks {
		b.Run(strings.ReplaceAll(a.name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			body := a.body(1 << 20 / len(a.record))
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				a.run(b, body)
			}
		})
	}
}

func BenchmarkDecodeText(b *testing.B) {
	frames := map[string]string{
		"message": "4" + strings.Repeat("x", 128),
		"base64":  "b4" + strings.Repeat("AQID", 32),
	}
	for name, frame := range frames {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := []byte(frame)
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if _, err := DecodeText(V3, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendASCII(b *testing.B) {
	texts := map[string]string{"ascii": strings.Repeat("x", 128), "mixed": strings.Repeat("x€yz", 22)}
	for name, s := range texts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			json := []byte(`["` + s + `"]`)
			b.SetBytes(int64(len(json)))
			var dst []byte
			for b.Loop() {
				dst = AppendASCII(dst[:0], json)
			}
		})
	}
}

func BenchmarkAppendJSONP(b *testing.B) {
	b.ReportAllocs()
	var payload []byte
	for _, p := range benchPackets("€") {
		payload = AppendPayload3(payload, p)
	}
	b.SetBytes(int64(len(payload)))
	var dst []byte
	for b.Loop() {
		dst = AppendJSONP(dst[:0], "3", payload)
	}
}

func BenchmarkAppendOpen(b *testing.B) {
	b.ReportAllocs()
	h := Handshake{SID: "9GUtsQQqO-x_RtDwAAAA", Upgrades: []string{"websocket"}, MaxPayload: 1000000}
	var dst []byte
	for b.Loop() {
		dst = AppendOpen(dst[:0], h)
	}
}
