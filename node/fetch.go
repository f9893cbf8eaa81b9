package node

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// RemoteSocket describes a socket of any server, as it was when it was fetched.
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

// Fetch says what FetchSocketsWith returns.
type Fetch struct {
	// Handshake includes handshakes, whose headers are heavy.
	Handshake bool `json:"handshake,omitzero"`
	// NoRooms and NoData leave these out.
	NoRooms bool `json:"noRooms,omitzero"`
	NoData  bool `json:"noData,omitzero"`
	// CountOnly yields no sockets; see CountSockets.
	CountOnly bool `json:"countOnly,omitzero"`
}

// fetched is one node's answer.
type fetched struct {
	Count   int            `json:"count"`
	Sockets []RemoteSocket `json:"sockets,omitzero"`
}

// FetchSockets yields the addressed sockets of all servers, with rooms and
// data, without handshakes. If a server does not answer, the last pair carries
// a *PartialError.
func (b Broadcast) FetchSockets(ctx context.Context) iter.Seq2[RemoteSocket, error] {
	return b.FetchSocketsWith(ctx, Fetch{})
}

// FetchSocketsWith is FetchSockets with a choice of fields.
func (b Broadcast) FetchSocketsWith(ctx context.Context, f Fetch) iter.Seq2[RemoteSocket, error] {
	return func(yield func(RemoteSocket, error) bool) {
		stopped := false
		give := func(part fetched) {
			for _, r := range part.Sockets {
				r.ns = b.ns
				if !stopped && !yield(r, nil) {
					stopped = true
				}
			}
		}
		if err := b.fetch(ctx, f, give); err != nil && !stopped {
			yield(RemoteSocket{}, err)
		}
	}
}

// CountSockets counts the addressed sockets of all servers. With a
// *PartialError the count is that of the servers which answered.
func (b Broadcast) CountSockets(ctx context.Context) (int, error) {
	n := 0
	err := b.fetch(ctx, Fetch{CountOnly: true}, func(f fetched) { n += f.Count })
	return n, err
}

// FetchSockets yields all sockets of the namespace; see Broadcast.FetchSockets.
func (ns *Namespace) FetchSockets(ctx context.Context) iter.Seq2[RemoteSocket, error] {
	return ns.Broadcast().FetchSockets(ctx)
}

func (b Broadcast) fetch(ctx context.Context, f Fetch, give func(fetched)) error {
	if b.ns.template() {
		return b.forChildren(func(b Broadcast) error { return b.fetch(ctx, f, give) })
	}
	t, err := b.target(nil, nil)
	if err != nil {
		return err
	}
	give(fetchLocal(b.ns, &t, f))
	if b.flags&castLocal != 0 || !b.ns.srv.clustered() {
		return nil
	}
	env := b.envelope(&t, protocol.Frames{})
	env.Kind, env.Op, env.Data = backplane.KindOperation, opFetch, encodeBody(&operation{Fetch: f})
	return b.ns.srv.ask(ctx, env, func(r backplane.Reply) {
		var part fetched
		if r.Envelope != nil && protocol.JSON.DecodeValue(r.Envelope.Data, nil, &part) == nil {
			give(part)
		}
	})
}

// fetchLocal is this server's part of a fetch.
func fetchLocal(ns *Namespace, t *target, f Fetch) fetched {
	if ns == nil {
		return fetched{}
	}
	all := ns.selected(t)
	out := fetched{Count: len(all)}
	if f.CountOnly {
		return out
	}
	for _, s := range all {
		r := RemoteSocket{ID: s.id, Node: ns.srv.id, Namespace: ns.name, User: s.User(), Transport: s.Transport()}
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
		out.Sockets = append(out.Sockets, r)
	}
	return out
}

// Rooms lists the rooms that have members on any server, without the sockets'
// own rooms, sorted. With a *PartialError some servers' rooms are missing.
func (ns *Namespace) Rooms(ctx context.Context) ([]string, error) {
	all := ns.interest.names()
	var err error
	if ns.srv.clustered() {
		env := &backplane.Envelope{
			Kind: backplane.KindOperation, Op: opRooms, Origin: ns.srv.id, ID: ns.srv.nextEnvelope(), Namespace: ns.name, Data: []byte("{}"),
		}
		err = ns.srv.ask(ctx, env, func(r backplane.Reply) {
			var part []string
			if r.Envelope != nil && protocol.JSON.DecodeValue(r.Envelope.Data, nil, &part) == nil {
				all = append(all, part...)
			}
		})
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// Emit sends an event to the socket, wherever it is.
func (r RemoteSocket) Emit(ctx context.Context, event string, args ...any) error {
	return r.ns.To(r.ID).Emit(ctx, event, args...)
}

// Join puts the socket into rooms.
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
