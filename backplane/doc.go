// Package backplane is what travels between the processes of a cluster: the
// envelope, the addresses, and the interfaces of the thing that carries them.
//
// It stands between package protocol, whose Frames an envelope holds, and the
// packages that program against it: node, emitter and worker. Implementations
// live below it, in backplane/memory for one process and in others for NATS;
// none of them is imported here, and only commands choose one.
//
// # Two classes
//
// A [Backplane] carries the fast class: at most once, never stored, interest
// by exact room, losses counted. A [Log] carries the durable class: each
// envelope stored in one total order and applied by every node in that order.
// One emit uses one of them, never both.
//
// # Optional parts
//
// Backplane is required whole. What an implementation may lack is an interface
// of its own, found by one function each, never by a type assertion elsewhere:
//
//	Logs, LogFor    []Log, Log   durable events and recovery
//	AsOccupancy     Occupancy    rooms that become occupied or vacated anywhere
//	AsSessions      Sessions     sessions that survive the kill of their node
//	MaxPayload      int          what fits into an envelope, to look beforehand
//
// # Example
//
//	sub, err := bp.Subscribe(backplane.Room("/chat", "lobby"), func(d backplane.Delivery) {
//		if d.Envelope != nil {
//			deliver(d.Envelope)
//		}
//	})
//	…
//	err = bp.Publish(ctx, backplane.Room("/chat", "lobby"), &backplane.Envelope{
//		Kind:      backplane.KindEvent,
//		Origin:    bp.ID(),
//		ID:        ids.Add(1),
//		Namespace: "/chat",
//		Target:    backplane.Target{Rooms: []string{"lobby"}},
//		Frames:    frames,
//	})
//
// A request to all other nodes, whose boot ids the membership knows:
//
//	for reply, err := range bp.Request(ctx, backplane.Requests("/chat"), env, roster) {
//		if partial, ok := errors.AsType[*backplane.PartialError](err); ok {
//			return partial // some nodes did not answer, and this says which
//		}
//		…
//	}
//
// This package has no goroutine and no lock: interfaces, values and pure
// functions.
package backplane
