package msgpack_test

import (
	"testing"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
)

func TestAllocs(t *testing.T) {
	msg := wire(t, event(3, "a568656c6c6f 83a16101a162c3a163cb3ff8000000000000 c403010203"))
	f := protocol.Frames{Text: []byte(`51-/chat,7["a","hello",{"b":[1,2,{"_placeholder":true,"num":0}]},1.5]`), Binary: [][]byte{{1}}}
	buf := make([]byte, 0, 256)
	var p protocol.Packet
	for _, tt := range []struct {
		name string
		max  float64
		run  func() error
	}{
		// The JSON text, which may grow once, and the list of attachments.
		{"Decode", 3, func() error { return msgpack.Decode(msg, protocol.Limits{}, &p) }},
		{"Append", 0, func() error { _, err := msgpack.Append(buf, f); return err }},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := tt.run(); err != nil {
				t.Error(err)
			}
		}); n > tt.max {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, n, tt.max)
		}
	}
}
