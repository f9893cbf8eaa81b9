package node

import (
	"context"
	"iter"
	"slices"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// Fetch says what FetchSocketsWith returns.
type Fetch struct {
	// Handshake includes handshakes, whose headers are heavy.
	Handshake bool `json:"handshake,omitzero"`
	// NoRooms and NoData leave these out.
	NoRooms bool `json:"noRooms,omitzero"`
	NoData  bool `json:"noData,omitzero"`
}

// fetchBody asks a node for its part.
type fetchBody struct {
	Fetch
	Count bool `json:"count,omitzero"` // only how many
}

// fetched is one of a node's answers.
type fetched struct {
	Count   int            `json:"count"` // of Sockets, or of all if only they are asked for
	Sockets []RemoteSocket `json:"sockets,omitzero"`
	Large   []string       `json:"large,omitzero"` // ids of those that fit into no message
}

// Answers are cut so that no message between nodes grows with a room.
const (
	socketsPerReply = 200
	roomsPerReply   = 1000
)

// FetchSockets yields the addressed sockets of all servers, with rooms and
// data, without handshakes. If a server does not answer, or a socket of another
// one is too large for a message between servers, the last pair carries a
// *PartialError. Leaving the loop early gives up the rest.
func (b Broadcast) FetchSockets(ctx context.Context) iter.Seq2[RemoteSocket, error] {
	return b.FetchSocketsWith(ctx, Fetch{})
}

// FetchSocketsWith is FetchSockets with a choice of fields.
func (b Broadcast) FetchSocketsWith(ctx context.Context, f Fetch) iter.Seq2[RemoteSocket, error] {
	return func(yield func(RemoteSocket, error) bool) {
		stopped := false
		err := b.fetch(ctx, fetchBody{Fetch: f}, func(ns *Namespace, part fetched) bool {
			for _, r := range part.Sockets {
				r.ns = ns
				if !yield(r, nil) {
					stopped = true
					return false
				}
			}
			return true
		})
		if err != nil && !stopped {
			yield(RemoteSocket{}, err)
		}
	}
}

// CountSockets counts the addressed sockets of all servers. With a
// *PartialError the count is that of the servers which answered.
func (b Broadcast) CountSockets(ctx context.Context) (int, error) {
	n := 0
	err := b.fetch(ctx, fetchBody{Count: true}, func(_ *Namespace, f fetched) bool {
		n += f.Count
		return true
	})
	return n, err
}

// FetchSockets yields all sockets of the namespace; see Broadcast.FetchSockets.
func (ns *Namespace) FetchSockets(ctx context.Context) iter.Seq2[RemoteSocket, error] {
	return ns.Broadcast().FetchSockets(ctx)
}

// fetch hands on this server's part and then the others', until give returns
// false.
func (b Broadcast) fetch(ctx context.Context, body fetchBody, give func(*Namespace, fetched) bool) error {
	srv := b.ns.srv
	ctx, cancel := srv.bounded(ctx)
	defer cancel()
	if b.ns.template != nil {
		stopped := false
		return b.forChildren(func(b Broadcast) error {
			if stopped {
				return nil
			}
			return b.fetch(ctx, body, func(ns *Namespace, f fetched) bool {
				stopped = !give(ns, f)
				return !stopped
			})
		})
	}
	t, err := b.target(nil, nil)
	if err != nil {
		return err
	}
	b.ns = b.ns.current()
	if !fetchLocal(b.ns, &t, body, func(f fetched) bool { return give(b.ns, f) }) {
		return nil
	}
	if b.flags&castLocal != 0 || !srv.clustered() {
		return nil
	}
	env := b.envelope(&t, protocol.Frames{})
	env.Kind, env.Op, env.Data = backplane.KindOperation, opFetch, encodeBody(&operation{Fetch: body})
	var partial PartialError
	err = srv.ask(ctx, backplane.Requests(b.ns.name), env, func(r backplane.Reply) bool {
		var part fetched
		if !decodeBody(r.Envelope, &part) {
			return true
		}
		partial.Missing = append(partial.Missing, part.Large...)
		return give(b.ns, part)
	})
	return partial.with(err)
}

// answerFetch gives this server's part to another.
func answerFetch(d backplane.Delivery, ns *Namespace, t *target, body fetchBody) {
	if ns != nil && d.Reply != nil {
		fetchLocal(ns, t, body, func(part fetched) bool {
			if body.Count {
				_ = reply(d, part)
				return true
			}
			large := replyList(d, part.Sockets, func(some []RemoteSocket) any {
				return fetched{Count: len(some), Sockets: some}
			})
			for _, s := range large {
				_ = reply(d, fetched{Large: []string{s.ID}})
			}
			return true
		})
	}
	finish(d, nil)
}

// fetchLocal hands on this server's part in pieces. It returns false if give
// did.
func fetchLocal(ns *Namespace, t *target, body fetchBody, give func(fetched) bool) bool {
	all := ns.selected(t)
	if body.Count {
		return give(fetched{Count: len(all)})
	}
	for part := range slices.Chunk(all, socketsPerReply) {
		out := fetched{Count: len(part), Sockets: make([]RemoteSocket, len(part))}
		for i, s := range part {
			out.Sockets[i] = describe(s, body.Fetch)
		}
		if !give(out) {
			return false
		}
	}
	return true
}

// Rooms lists the rooms that have members on any server, without the sockets'
// own rooms, sorted. With a *PartialError some servers' rooms are missing.
func (ns *Namespace) Rooms(ctx context.Context) ([]string, error) {
	ctx, cancel := ns.srv.bounded(ctx)
	defer cancel()
	var all []string
	err := ns.Broadcast().forChildren(func(b Broadcast) error {
		all = append(all, b.ns.interest.names()...)
		if !ns.srv.clustered() {
			return nil
		}
		env := ns.srv.request(backplane.KindOperation, opRooms, b.ns.name, &operation{})
		return ns.srv.ask(ctx, backplane.Requests(b.ns.name), env, func(r backplane.Reply) bool {
			var part []string
			if decodeBody(r.Envelope, &part) {
				all = append(all, part...)
			}
			return true
		})
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// LocalRooms lists the rooms that have members on this server, without the
// sockets' own rooms, sorted.
func (ns *Namespace) LocalRooms() []string {
	var all []string
	for _, ns := range ns.real() {
		all = append(all, ns.interest.names()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func answerRooms(d backplane.Delivery, ns *Namespace) {
	if ns != nil && d.Reply != nil {
		for part := range slices.Chunk(ns.interest.names(), roomsPerReply) {
			replyList(d, part, func(some []string) any { return some })
		}
	}
	finish(d, nil)
}
