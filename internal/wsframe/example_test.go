package wsframe_test

import (
	"fmt"

	"github.com/gobwas/ws"
	"github.com/siod-io/siod/internal/wsframe"
)

// A server feeds what it received and gets whole messages out, however the
// bytes were cut on the way.
func ExampleReader() {
	var r wsframe.Reader
	r.Init(wsframe.Config{Server: true, MaxMessage: 1_000_000})
	defer r.Release()

	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	received := wsframe.AppendMasked(nil, ws.OpText, []byte("hello"), key)
	received = wsframe.AppendMasked(received, ws.OpPing, []byte("still there?"), key)

	for _, in := range [][]byte{received[:4], received[4:]} {
		for {
			m, n, ok, err := r.Next(in)
			if err != nil {
				fmt.Println(err)
				return
			}
			if !ok {
				break
			}
			fmt.Printf("%s %q\n", m.Kind, m.Data)
			in = in[n:]
		}
		fmt.Println("inside a frame:", r.Partial())
	}
	// Output:
	// inside a frame: true
	// text "hello"
	// ping "still there?"
	// inside a frame: false
}
