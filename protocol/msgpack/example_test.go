package msgpack_test

import (
	"encoding/hex"
	"fmt"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

// An event of a msgpack client is an event like any other.
func ExampleDecode() {
	msg, _ := hex.DecodeString("83a47479706502a36e7370a12fa46461746192a161c4020102")
	var p protocol.Packet
	err := msgpack.Decode(msg, protocol.Limits{}, &p)
	var blob []byte
	fmt.Println(err, p.Type, string(p.Event), p.Args.Decode(protocol.JSON, &blob), blob)
	// Output:
	// <nil> EVENT a <nil> [1 2]
}

// Frames are encoded once; for a msgpack client they are translated.
func ExampleAppend() {
	f, err := protocol.EncodeEvent(protocol.JSON, "/", "hello", []any{1, []byte{2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := msgpack.Append(nil, f)
	fmt.Printf("%s\n%x %v\n", f.Text, msg, err)
	// Output:
	// 51-["hello",1,{"_placeholder":true,"num":0}]
	// 83a47479706502a36e7370a12fa46461746193a568656c6c6f01c40102 <nil>
}
