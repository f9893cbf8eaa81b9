package engineio_test

import (
	"errors"
	"fmt"

	"github.com/siod-io/siod/protocol/engineio"
)

// A polling body holds several packets. What stands before an error is handled
// before the session is closed.
func ExampleDecodePayload4() {
	body := []byte("4hello\x1ebAQID\x1e2\x1eoops")
	err := engineio.DecodePayload4(body, func(p engineio.Packet) error {
		fmt.Printf("%s %q\n", p.Type, p.Data)
		return nil
	})
	fmt.Println(errors.Is(err, engineio.ErrPacket), err)
	// Output:
	// message "hello"
	// message "\x01\x02\x03"
	// ping ""
	// true engineio: malformed v4 payload at byte 15: unknown packet type
}

// Clients 1.x and 2.x frame the same text in two ways; a decoder per session
// reads both.
func ExamplePayload3Decoder() {
	show := func(p engineio.Packet) error {
		fmt.Printf("%s %q\n", p.Type, p.Data)
		return nil
	}
	var client2, client1 engineio.Payload3Decoder
	fmt.Println(client2.DecodeText([]byte("2:4€1:2"), show))
	fmt.Println(client1.DecodeText([]byte("4:4\u00e2\u0082\u00ac1:2"), show))
	// Output:
	// message "€"
	// ping ""
	// <nil>
	// message "€"
	// ping ""
	// <nil>
}

// A V3 polling response is made of ASCII, so that clients of every version
// agree on its lengths.
func ExampleAppendPayload3() {
	event := engineio.AppendASCII([]byte("2"), []byte(`["news","€ 5"]`))
	body := engineio.AppendPayload3(nil, engineio.Packet{Type: engineio.Message, Data: event})
	body = engineio.AppendPayload3(body, engineio.Packet{Type: engineio.Message, Binary: true, Data: []byte{1, 2, 3}})
	fmt.Printf("%s\n", body)
	fmt.Printf("%s\n", engineio.AppendJSONP(nil, "3", body))
	// Output:
	// 21:42["news","\u20ac 5"]6:b4AQID
	// ___eio[3]("21:42[\"news\",\"\\u20ac 5\"]6:b4AQID");
}

func ExampleAppendOpen() {
	open := engineio.AppendOpen(nil, engineio.Handshake{
		SID:          "9GUtsQQqO-x_RtDwAAAA",
		Upgrades:     []string{"websocket"},
		PingInterval: 25e9,
		PingTimeout:  20e9,
		MaxPayload:   1000000,
	})
	fmt.Printf("%s\n", open)
	// Output:
	// 0{"sid":"9GUtsQQqO-x_RtDwAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
}
