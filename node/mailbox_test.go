package node_test

import (
	"context"
	"encoding/binary"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/siod-io/siod/node"
)

// sendAll writes messages as often as said, in a goroutine: the server may not read
// them yet, or not any more.
func (r *raw) sendAll(times int, messages ...wsutil.Message) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range times {
			for _, m := range messages {
				if wsutil.WriteClientMessage(r.conn, m.OpCode, m.Payload) != nil {
					return
				}
			}
		}
	}()
	r.t.Cleanup(func() {
		_ = r.conn.Close()
		<-done
	})
}

func textMessage(s string) wsutil.Message {
	return wsutil.Message{OpCode: ws.OpText, Payload: []byte(s)}
}

func binaryMessage(parts ...string) wsutil.Message {
	return wsutil.Message{OpCode: ws.OpBinary, Payload: []byte(strings.Join(parts, ""))}
}

// bin32 is a long MessagePack bin.
func bin32(n int) string {
	return string(binary.BigEndian.AppendUint32([]byte{0xc6}, uint32(n))) + strings.Repeat("x", n)
}

// packed begins a packet of the MessagePack parser.
func packed(fields byte, kind string) string {
	return string([]byte{0x80 | fields}) + "\xa4type" + kind + "\xa3nsp\xa1/"
}

// Reading pauses before much more than MaxPayload waits, in whatever it is; what
// fits into nothing waits alone.
func TestMailboxHoldsBytes(t *testing.T) {
	t.Parallel()
	const size = 300_000
	args := strings.Repeat(",1", 9_999)
	for name, test := range map[string]struct {
		join  wsutil.Message
		event []wsutil.Message
		least int // that wait
		fit   int // that wait at most
	}{
		"text":          {textMessage("40"), []wsutil.Message{textMessage(`42["e","` + strings.Repeat("x", size) + `"]`)}, 3, 3},
		"arguments":     {textMessage("40"), []wsutil.Message{textMessage(`42["e"` + args + `]`)}, 5, 9},
		"whole payload": {textMessage("40"), []wsutil.Message{textMessage(`42["e","` + strings.Repeat("x", 970_000) + `"` + args + `]`)}, 1, 1},
		"attachment": {textMessage("40"), []wsutil.Message{
			textMessage(`451-["e",{"_placeholder":true,"num":0}]`), binaryMessage(strings.Repeat("x", size)),
		}, 3, 3},
		"MessagePack attachment": {
			binaryMessage(packed(2, "\x00")), []wsutil.Message{binaryMessage(packed(3, "\x02"), "\xa4data\x92\xa1e", bin32(size))}, 3, 3,
		},
		"MessagePack that expands": { // a byte of 1 becomes six of JSON
			binaryMessage(packed(2, "\x00")), []wsutil.Message{binaryMessage(packed(3, "\x02"),
				"\xa4data\x92\xa1e", "\xda\xc3\x50", strings.Repeat("\x01", 50_000))}, 2, 2,
		},
		"MessagePack beside the data": {
			binaryMessage(packed(2, "\x00")), []wsutil.Message{binaryMessage(packed(4, "\x02"), "\xa4data\x91\xa1e", "\xa1x", bin32(size))}, 3, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, nil)
			ns := srv.Of("/")
			const n = 12
			running, release := make(chan struct{}, n), make(chan struct{})
			ns.OnEvent("e", func(context.Context, *node.Event) error {
				running <- struct{}{}
				<-release
				return nil
			})
			end := sync.OnceFunc(func() { close(release) })
			t.Cleanup(end)
			r := srv.raw(t, "4", "")
			must(t, wsutil.WriteClientMessage(r.conn, test.join.OpCode, test.join.Payload))
			_, _ = r.message()
			r.sendAll(1, test.event...)
			wait(t, running, "the handler")
			r.sendAll(n-1, test.event...)
			until(t, func() bool { return srv.Stats().Pauses > 0 })
			// One runs, one is held by the reader.
			if got := int(srv.Stats().Events) - 2; got > test.fit || got < test.least {
				t.Errorf("%d events wait, want %d to %d", got, test.least, test.fit)
			}
			end()
			for range n - 1 {
				wait(t, running, "the handler")
			}
		})
	}
}
