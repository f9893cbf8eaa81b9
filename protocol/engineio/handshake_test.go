package engineio

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		h    Handshake
		want string
	}{
		{
			Handshake{SID: "9GUtsQQqO-x_RtDwAAAA", Upgrades: []string{"websocket"}, PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1000000},
			`0{"sid":"9GUtsQQqO-x_RtDwAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
		},
		{
			Handshake{SID: "a", PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond},
			`0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":200}`,
		},
		{
			Handshake{SID: "a\"\\\n\u2028", Upgrades: []string{"websocket", "webtransport"}, PingInterval: time.Second, PingTimeout: time.Minute, MaxPayload: math.MaxInt32},
			`0{"sid":"a\"\\\n\u2028","upgrades":["websocket","webtransport"],"pingInterval":1000,"pingTimeout":60000,"maxPayload":2147483647}`,
		},
	}
	for _, tt := range tests {
		got := AppendOpen(nil, tt.h)
		if string(got) != tt.want {
			t.Errorf("AppendOpen(%+v) = %s, want %s", tt.h, got, tt.want)
		}
		p, err := DecodeText(V4, got)
		if err != nil || p.Type != Open {
			t.Fatalf("packet %v, error %v", p, err)
		}
		back, err := ParseOpen(p.Data)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.h, back, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("ParseOpen (-want +got):\n%s", d)
		}
	}
}

func TestParseOpen(t *testing.T) {
	t.Parallel()
	ok := []string{
		`{"sid":"a","upgrades":null,"pingInterval":25000,"pingTimeout":20000}`,
		`{"pingTimeout":20000.0,"pingInterval":2.5e4,"sid":"a","upgrades":[],"new":{"x":[1]}}`,
	}
	want := Handshake{SID: "a", PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second}
	for _, data := range ok {
		h, err := ParseOpen([]byte(data))
		if err != nil {
			t.Errorf("%s: %v", data, err)
		}
		if d := cmp.Diff(want, h, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", data, d)
		}
	}
	bad := []string{
		``, `{}`, `[]`, `null`, `"a"`, `{"sid":`, `{"sid":"a"}`,
		`{"sid":"","pingInterval":25000,"pingTimeout":20000}`,
		`{"sid":1,"pingInterval":25000,"pingTimeout":20000}`,
		`{"sid":"a","pingInterval":0,"pingTimeout":20000}`,
		`{"sid":"a","pingInterval":25000,"pingTimeout":-1}`,
		`{"sid":"a","pingInterval":1e300,"pingTimeout":20000}`,
		`{"sid":"a","pingInterval":"25000","pingTimeout":20000}`,
		`{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":-1}`,
		`{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":1e12}`,
		`{"sid":"a","upgrades":"websocket","pingInterval":25000,"pingTimeout":20000}`,
		`{"sid":"a","pingInterval":25000,"pingTimeout":20000} x`,
	}
	for _, data := range bad {
		h, err := ParseOpen([]byte(data))
		if !errors.Is(err, ErrPacket) {
			t.Errorf("%s: %+v, error %v; want ErrPacket", data, h, err)
		}
		if !cmp.Equal(h, Handshake{}) {
			t.Errorf("%s: %+v beside an error", data, h)
		}
	}
}
