package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"unicode/utf16"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// The texts of the contract in test/interop/README.md.
var greeting = []any{
	"Ünïcødé ÿ §¶",
	"Привет 漢字 € ‰ \u2028",
	"😀🚀 𝒳 🇫🇷",
	"aé€😀\"\\\n\x00",
}

const refusal = "not today: é€😀"

var (
	received   = node.NewKey[[]int]("received")
	remembered = node.NewKey[any]("remembered")
)

// interop is the contract of the interoperability matrix: what each event does
// is a row of the table in test/interop/README.md.
func interop(srv *node.Server) {
	for _, name := range []string{"/", "/chat"} {
		ns := srv.Of(name)
		interopExchange(ns)
		interopRooms(ns)
		interopLife(ns)
	}
	data := map[string]any{"code": 7, "text": "é€😀", "list": []any{1, nil, true}}
	srv.Of("/refuse").Use(func(context.Context, *node.Socket) error { return node.Refuse(refusal, data) })
	srv.Of("/refuse-plain").Use(func(context.Context, *node.Socket) error { return node.Refuse(refusal, nil) })
}

func interopExchange(ns *node.Namespace) {
	ns.OnEvent("whoami", func(_ context.Context, e *node.Event) error { return e.Ack(whoami(e.Socket)) })
	ns.OnEvent("echo", func(ctx context.Context, e *node.Event) error {
		if err := e.Socket.EmitArgs(ctx, "echoed", e.Args); err != nil || !e.WantsAck() {
			return err
		}
		return e.AckRaw(e.Args)
	})
	ns.OnEvent("inspect", func(_ context.Context, e *node.Event) error {
		list, err := inspect(e.Args)
		if err != nil {
			return err
		}
		return e.Ack(list)
	})
	ns.OnEvent("greet", func(ctx context.Context, e *node.Event) error {
		return errors.Join(e.Socket.Emit(ctx, "greeting", greeting...), e.Ack(greeting...))
	})
	ns.OnEvent("bytes", func(ctx context.Context, e *node.Event) error {
		var n int
		if err := e.Args.Decode(protocol.JSON, &n); err != nil || n < 0 || n > 1<<20 {
			return &node.EventError{Message: "bytes: not a length"}
		}
		around := map[string]any{"n": n, "inner": []any{pattern(3), nil}, "note": "é€😀"}
		return errors.Join(
			e.Socket.Emit(ctx, "bytes", pattern(n), around),
			e.Ack(pattern(n), map[string]any{"inner": pattern(5)}))
	})
	// The answer may take as long as the client likes, so the socket's other
	// events do not wait for it.
	ns.OnEvent("ask", func(ctx context.Context, e *node.Event) error {
		s := e.Socket
		args, err := values(e.Args.Clone(), 0)
		if err != nil {
			return err
		}
		ns.Server().Go(func(context.Context) error {
			answer, err := s.EmitWithAck(ctx, "question", args...)
			if err != nil {
				return nil // the client left, or never answered
			}
			return s.EmitArgs(ctx, "answered", answer)
		})
		return nil
	})
}

func interopRooms(ns *node.Namespace) {
	node.Handle(ns, "join", func(ctx context.Context, s *node.Socket, room string) (string, error) {
		return room, everywhere(ctx, s, room)
	})
	node.Handle(ns, "leave", func(_ context.Context, s *node.Socket, room string) (string, error) { return room, s.Leave(room) })
	node.Handle(ns, "watch", func(ctx context.Context, s *node.Socket, id string) (string, error) {
		return id, everywhere(ctx, s, "watch:"+id)
	})
	node.Handle(ns, "rooms", func(_ context.Context, s *node.Socket, _ node.None) ([]string, error) {
		return slices.Sorted(slices.Values(s.Rooms())), nil
	})
	ns.OnEvent("broadcast", func(ctx context.Context, e *node.Event) error { return relay(ctx, e, ns.Broadcast()) })
	ns.OnEvent("broadcast-others", func(ctx context.Context, e *node.Event) error { return relay(ctx, e, e.Socket.Broadcast()) })
	ns.OnEvent("direct", func(ctx context.Context, e *node.Event) error {
		var event string
		rest, err := after(e.Args, &event)
		if err != nil {
			return err
		}
		return errors.Join(e.Socket.EmitArgs(ctx, event, rest), e.Ack(true))
	})
	ns.OnEvent("volatile", func(ctx context.Context, e *node.Event) error {
		var event string
		if err := e.Args.Decode(protocol.JSON, &event); err != nil {
			return err
		}
		args, err := values(e.Args, 1)
		if err != nil {
			return err
		}
		return errors.Join(e.Socket.Volatile().Emit(ctx, event, args...), e.Ack(true))
	})
}

// everywhere joins a room and waits until what any node emits to it arrives: the
// client is answered then, and may have another one emit at once. Socket.Join
// promises that for this node only.
func everywhere(ctx context.Context, s *node.Socket, room string) error {
	return s.Namespace().In(s.ID()).SocketsJoin(ctx, room)
}

func interopLife(ns *node.Namespace) {
	ns.OnEvent("seq", func(ctx context.Context, e *node.Event) error {
		var n int
		if err := e.Args.Decode(protocol.JSON, &n); err != nil {
			return err
		}
		list, _ := received.Get(e.Socket)
		received.Set(e.Socket, append(list, n)) // one event of a socket at a time
		if err := e.Socket.Emit(ctx, "seq-back", n); err != nil || !e.WantsAck() {
			return err
		}
		return e.Ack(n)
	})
	node.Handle(ns, "seq-report", func(_ context.Context, s *node.Socket, _ node.None) ([]int, error) {
		list, _ := received.Get(s)
		return append([]int{}, list...), nil
	})
	node.Handle(ns, "remember", func(_ context.Context, s *node.Socket, v any) (bool, error) {
		remembered.Set(s, v)
		return true, nil
	})
	node.Handle(ns, "recall", func(_ context.Context, s *node.Socket, _ node.None) (any, error) {
		v, _ := remembered.Get(s)
		return v, nil
	})
	ns.OnEvent("kick", func(_ context.Context, e *node.Event) error { e.Socket.Disconnect(false); return nil })
	ns.OnEvent("kick-connection", func(_ context.Context, e *node.Event) error { e.Socket.Disconnect(true); return nil })
	ns.OnDisconnect(func(ctx context.Context, s *node.Socket, r node.Reason) {
		_ = ns.To("watch:"+s.ID()).Emit(ctx, "gone", map[string]any{"id": s.ID(), "reason": string(r)})
		_ = s.Emit(ctx, "farewell", string(r)) // kept for a client that comes back
	})
}

// whoami is what the server knows of a socket.
func whoami(s *node.Socket) map[string]any {
	query := make(map[string]string)
	for k, v := range s.Handshake().Query() {
		query[k] = v[len(v)-1]
	}
	var auth map[string]any
	_ = s.Auth(&auth)
	if s.Revision() == 3 {
		for k, v := range auth {
			if text, ok := v.(string); ok {
				query[k] = text
			}
		}
	}
	return map[string]any{
		"id": s.ID(), "nsp": s.Namespace().Name(), "transport": s.Transport(), "eio": s.Revision(),
		"recovered": s.Recovered(), "auth": auth, "query": query,
	}
}

// relay emits to the room and under the event that the first two arguments
// name, with the rest of the arguments as they came.
func relay(ctx context.Context, e *node.Event, to node.Broadcast) error {
	var room, event string
	rest, err := after(e.Args, &room, &event)
	if err != nil {
		return err
	}
	if err := to.To(room).EmitArgs(ctx, event, rest); err != nil {
		return err
	}
	return e.Ack(true)
}

// after decodes the first arguments and gives the others, still encoded. All
// binary values stay with them, so placeholders keep their numbers.
func after(a protocol.Args, first ...any) (protocol.Args, error) {
	if err := a.Decode(protocol.JSON, first...); err != nil {
		return protocol.Args{}, err
	}
	json := []byte{'['}
	for i := len(first); i < a.Len(); i++ {
		if i > len(first) {
			json = append(json, ',')
		}
		json = append(json, a.Raw(i)...)
	}
	return protocol.ParseArgs(append(json, ']'), a.Attachments())
}

// values decodes the arguments from the given one on.
func values(a protocol.Args, from int) ([]any, error) {
	list := make([]any, max(0, a.Len()-from))
	for i := range list {
		if err := a.DecodeArg(protocol.JSON, from+i, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// inspect describes arguments as the server received them.
func inspect(a protocol.Args) ([]any, error) {
	decoded, err := values(a, 0)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(decoded))
	for i, v := range decoded {
		switch v := v.(type) {
		case string:
			runes := []rune(v)
			list[i] = map[string]any{"type": "string", "units": len(utf16.Encode(runes)), "points": runes}
		case []byte:
			sum := sha256.Sum256(v)
			list[i] = map[string]any{"type": "binary", "length": len(v), "sha256": hex.EncodeToString(sum[:])}
		default:
			list[i] = map[string]any{"type": "json", "text": string(a.Raw(i))}
		}
	}
	return list, nil
}

// pattern is P(n) of the contract.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((7*i + n) % 256)
	}
	return b
}
