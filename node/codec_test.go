package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// marked is a codec that shows on the wire that it was used.
type marked struct{ protocol.Codec }

func (c marked) AppendValue(dst []byte, bin [][]byte, v any) ([]byte, [][]byte, error) {
	return c.Codec.AppendValue(dst, bin, fmt.Sprint("<", v, ">"))
}

func (c marked) DecodeValue(raw []byte, bin [][]byte, dst any) error {
	var text string
	if err := c.Codec.DecodeValue(raw, bin, &text); err != nil {
		return err
	}
	_, err := fmt.Sscanf(text, "%d", dst)
	return err
}

// All values of the application go through Config.Codec, in both directions.
func TestCodec(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.Codec = marked{protocol.StdCodec} })
	ns := srv.Of("/")
	node.Handle(ns, "add", func(_ context.Context, _ *node.Socket, n int) (int, error) { return n + 1, nil })
	ns.OnEvent("decode", func(_ context.Context, e *node.Event) error {
		var n int
		if err := e.Decode(&n); err != nil {
			return err
		}
		return e.Ack(n * 2)
	})
	p := srv.peer(t, "/", nil)
	client.Handle(p.Socket, "q", func(_ context.Context, _ string) (string, error) { return "7", nil })
	must(t, p.Connect(t.Context()))
	s := only(t, ns)
	if got := ask[string](p, "add", "41"); got != "<42>" {
		t.Errorf("answer %q", got)
	}
	if got := ask[string](p, "decode", "21"); got != "<42>" {
		t.Errorf("answer %q", got)
	}
	ctx := t.Context()
	must(t, s.Emit(ctx, "direct", 1))
	must(t, ns.Emit(ctx, "all", 2))
	p.expect(`direct "<1>"`, `all "<2>"`)
	if n, err := node.Call[int](ctx, s, "q", 3); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	res, err := ns.Broadcast().CollectAcks(ctx, "q", 4)
	var n int
	if err != nil || len(res.Answers) != 1 || res.Answers[0].Decode(&n) != nil || n != 7 {
		t.Errorf("%+v, %v", res, err)
	}
}
