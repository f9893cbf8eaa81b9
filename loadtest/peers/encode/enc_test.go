package enc

import (
	"encoding/json"
	"strconv"
	"testing"

	sonic "github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"
)

type user struct {
	ID   int      `json:"id"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}
type msg struct {
	ID     int     `json:"id"`
	Room   string  `json:"room"`
	Text   string  `json:"text"`
	From   user    `json:"from"`
	Ts     int64   `json:"ts"`
	Score  float64 `json:"score"`
	Edited bool    `json:"edited"`
}

var m = msg{42, "lobby", "hello, this is a typical chat message of moderate length, sent to a room", user{7, "alice", []string{"admin", "staff"}}, 1700000000123, 3.25, false}
var generic map[string]any

func init() {
	b, _ := json.Marshal(m)
	_ = json.Unmarshal(b, &generic)
}

type marsh func(any) ([]byte, error)

func packet(dst []byte, f marsh, ev string, v any) []byte {
	dst = append(dst, "42"...)
	dst = append(dst, '[')
	dst = strconv.AppendQuote(dst, ev)
	dst = append(dst, ',')
	b, _ := f(v)
	dst = append(dst, b...)
	return append(dst, ']')
}

func bench(b *testing.B, f marsh, v any) {
	b.ReportAllocs()
	buf := make([]byte, 0, 1024)
	for i := 0; i < b.N; i++ {
		buf = packet(buf[:0], f, "msg", v)
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}

func BenchmarkEncStructStd(b *testing.B) { bench(b, json.Marshal, &m) }
func BenchmarkEncStructGoccy(b *testing.B) {
	bench(b, func(v any) ([]byte, error) { return goccy.Marshal(v) }, &m)
}
func BenchmarkEncStructSonic(b *testing.B) { bench(b, sonic.Marshal, &m) }
func BenchmarkEncMapStd(b *testing.B)      { bench(b, json.Marshal, generic) }
func BenchmarkEncMapGoccy(b *testing.B) {
	bench(b, func(v any) ([]byte, error) { return goccy.Marshal(v) }, generic)
}
func BenchmarkEncMapSonic(b *testing.B) { bench(b, sonic.Marshal, generic) }

var pkt = packet(nil, json.Marshal, "msg", &m)[2:]

func BenchmarkDecAnyStd(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		var v []any
		if json.Unmarshal(pkt, &v) != nil {
			b.Fatal()
		}
	}
}
func BenchmarkDecAnyGoccy(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		var v []any
		if goccy.Unmarshal(pkt, &v) != nil {
			b.Fatal()
		}
	}
}
func BenchmarkDecAnySonic(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		var v []any
		if sonic.Unmarshal(pkt, &v) != nil {
			b.Fatal()
		}
	}
}
func BenchmarkDecRawStd(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		var v []json.RawMessage
		if json.Unmarshal(pkt, &v) != nil {
			b.Fatal()
		}
	}
}
