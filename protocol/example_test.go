package protocol_test

import (
	"errors"
	"fmt"

	"github.com/siod-io/siod/protocol"
)

// Binary values leave the text and come back by their type.
func ExampleEncodeEvent() {
	type photo struct {
		Title string `json:"title"`
		Data  []byte `json:"data"`
	}
	f, err := protocol.EncodeEvent(protocol.JSON, "/chat", "photo", []any{photo{"cat", []byte("...")}, 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %q\n", f.Text, f.Binary)
	fmt.Printf("%s\n", f.WithID(12).Text)
	// Output:
	// 51-/chat,["photo",{"title":"cat","data":{"_placeholder":true,"num":0}},1] ["..."]
	// 51-/chat,12["photo",{"title":"cat","data":{"_placeholder":true,"num":0}},1]
}

// One decoder per session gets every message; arguments are decoded when they
// are asked for.
func ExampleDecoder() {
	var d protocol.Decoder
	d.Init(protocol.Limits{})
	var p protocol.Packet

	done, err := d.Text([]byte(`2/chat,7["move",{"x":1,"y":2}]`), &p)
	var at struct{ X, Y int }
	var raw = string(p.Args.Raw(0))
	fmt.Println(done, err, p.Type, p.Namespace, p.ID, string(p.Event), raw)
	fmt.Println(protocol.StdCodec.DecodeValue(p.Args.Raw(0), nil, &at), at)

	done, err = d.Text([]byte(`51-["blob",{"_placeholder":true,"num":0}]`), &p)
	fmt.Println(done, err)
	full, done, err := d.Binary([]byte("attachment"))
	var blob []byte
	fmt.Println(done, err, full.Args.Decode(protocol.JSON, &blob), string(blob))
	// Output:
	// true <nil> EVENT /chat 7 move {"x":1,"y":2}
	// <nil> {1 2}
	// false <nil>
	// true <nil> <nil> attachment
}

// Errors have types and a fixed set of reasons.
func ExampleSyntaxError() {
	d := protocol.NewDecoder(protocol.Limits{MaxAttachments: 3})
	var p protocol.Packet
	for _, text := range []string{`2["a"]x`, `2["connect"]`, `54-["a"]`} {
		_, err := d.Text([]byte(text), &p)
		limit, ok := errors.AsType[*protocol.LimitError](err)
		if ok {
			fmt.Println(limit.Limit, limit.Max)
		}
		fmt.Println(err)
	}
	// Output:
	// protocol: bytes after the JSON at byte 6
	// protocol: reserved event name at byte 2
	// attachments 3
	// protocol: attachments 4 over the limit of 3
}
