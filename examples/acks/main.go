// Command acks shows acknowledgements in both directions: a client asks the
// server, the server asks one client, and the server asks all of a room.
//
//	go run ./examples/acks
package main

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// Tally answers "vote": what the members of the room said.
type Tally struct {
	Yes    int `json:"yes"`
	No     int `json:"no"`
	Silent int `json:"silent"` // did not answer in time
}

func newServer() (*node.Server, error) {
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		return nil, err
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		return nil, err
	}
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("council") })

	// A client asks: the result is the acknowledgement. The client called
	//   socket.emit("add", 2, 3, (sum) => …)
	node.Handle(ns, "add", func(_ context.Context, _ *node.Socket, p node.Args2[int, int]) (int, error) {
		return p.A + p.B, nil
	})

	// The server asks the client that asked it. A handler may wait for its own
	// client: acknowledgements do not queue behind events. The context's
	// deadline is how long it waits.
	node.Handle(ns, "delete", func(ctx context.Context, s *node.Socket, name string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		sure, err := node.Call[bool](ctx, s, "sure?", "really delete "+name+"?")
		switch {
		case err != nil:
			return "", &node.EventError{Message: "no answer, nothing deleted"}
		case !sure:
			return "kept", nil
		}
		return "deleted", nil
	})

	// The server asks everybody in a room and counts what comes back in time.
	node.Handle(ns, "vote", func(ctx context.Context, _ *node.Socket, motion string) (Tally, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		var t Tally
		result, err := ns.To("council").CollectAcks(ctx, "vote?", motion)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return t, err
		}
		for _, answer := range result.Answers {
			var yes bool
			if err := answer.Args.DecodeArg(protocol.JSON, 0, &yes); err != nil {
				t.Silent++ // answered with something else
			} else if yes {
				t.Yes++
			} else {
				t.No++
			}
		}
		t.Silent += len(result.Missing)
		return t, nil
	})
	return srv, nil
}

func main() {
	srv, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.ListenAndServe(context.Background(), "127.0.0.1:3000", nil))
}
