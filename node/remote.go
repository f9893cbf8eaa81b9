package node

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/siod-io/siod/protocol"
)

// RemoteSocket describes a socket of any server, as it was when it was fetched.
// Its methods work on the room of the socket's own: sockets that joined that
// room as guests are concerned too, and nothing happens if the socket left it.
type RemoteSocket struct {
	ID        string                     `json:"id"`
	Node      string                     `json:"node"` // boot id of its server
	Namespace string                     `json:"namespace"`
	Rooms     []string                   `json:"rooms,omitzero"`
	User      string                     `json:"user,omitzero"`
	Transport string                     `json:"transport,omitzero"`
	Data      map[string]json.RawMessage `json:"data,omitzero"` // by key; see Key.From
	Handshake *RemoteHandshake           `json:"handshake,omitzero"`
	ns        *Namespace
}

// RemoteHandshake is a socket's handshake as other servers see it.
type RemoteHandshake struct {
	Time    time.Time           `json:"time"`
	Address string              `json:"address"`
	URL     string              `json:"url"`
	Secure  bool                `json:"secure,omitzero"`
	Header  map[string][]string `json:"header,omitzero"`
	Auth    string              `json:"auth,omitzero"` // JSON
}

func describe(s *Socket, f Fetch) RemoteSocket {
	r := RemoteSocket{ID: s.id, Node: s.ns.srv.id, Namespace: s.ns.name, User: s.User(), Transport: s.Transport()}
	if !f.NoRooms {
		r.Rooms = s.Rooms()
	}
	if !f.NoData {
		r.Data = s.dataRaw()
	}
	if f.Handshake {
		h := s.Handshake()
		r.Handshake = &RemoteHandshake{
			Time: h.Time, Address: h.RemoteAddr, URL: h.URL(), Secure: h.Secure, Header: h.Header(), Auth: string(s.AuthRaw()),
		}
	}
	return r
}

// Emit sends an event to the socket, wherever it is, as a broadcast to its own
// room.
func (r RemoteSocket) Emit(ctx context.Context, event string, args ...any) error {
	return r.ns.To(r.ID).Emit(ctx, event, args...)
}

// EmitWithAck sends an event to the socket and waits for its acknowledgement;
// see Socket.EmitWithAck. ErrDisconnected means that it is not there any more,
// or ended meanwhile.
func (r RemoteSocket) EmitWithAck(ctx context.Context, event string, args ...any) (protocol.Args, error) {
	for a, err := range r.ns.To(r.ID).EmitWithAck(ctx, event, args...) {
		switch p, partial := errors.AsType[*PartialError](err); {
		case err == nil && a.Socket == r.ID:
			return a.Args, nil
		case err == nil: // a guest's
		case partial && p.Err == nil && len(p.FailedNodes) == 0:
			return protocol.Args{}, ErrDisconnected
		default:
			return protocol.Args{}, err
		}
	}
	return protocol.Args{}, ErrDisconnected
}

// Join puts the socket into rooms; see Broadcast.SocketsJoin.
func (r RemoteSocket) Join(ctx context.Context, rooms ...string) error {
	return r.ns.In(r.ID).SocketsJoin(ctx, rooms...)
}

// Leave takes the socket out of rooms.
func (r RemoteSocket) Leave(ctx context.Context, rooms ...string) error {
	return r.ns.In(r.ID).SocketsLeave(ctx, rooms...)
}

// Disconnect ends the socket.
func (r RemoteSocket) Disconnect(ctx context.Context, closeConnection bool) error {
	return r.ns.In(r.ID).DisconnectSockets(ctx, closeConnection)
}

// From returns the value of a fetched socket, and whether there is one of this
// type.
func (k Key[T]) From(r RemoteSocket) (T, bool) {
	var v T
	raw, ok := r.Data[k.name]
	if !ok || r.ns.srv.cfg.Codec.DecodeValue(raw, nil, &v) != nil {
		return v, false
	}
	return v, true
}
