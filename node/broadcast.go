package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Broadcast addresses sockets: a small immutable value that each method copies
// and narrows, so that it can be kept, shared between goroutines and reused.
// The first room and the first exception cost no allocation.
type Broadcast struct {
	ns         *Namespace
	room       string
	rooms      []string // beyond the first
	hasRoom    bool
	except     string
	excepts    []string // beyond the first
	hasExcept  bool
	flags      castFlags
	latest     string
	durability durability
}

type castFlags uint8

const (
	castVolatile castFlags = 1 << iota
	castLocal
	castUncompressed
)

type durability uint8

const (
	durabilityDefault durability = iota
	durabilityFast
	durabilityDurable
)

// To adds rooms; a socket in several gets an event once. A socket's id is a
// room of its own.
func (b Broadcast) To(rooms ...string) Broadcast {
	for _, r := range rooms {
		if !b.hasRoom {
			b.room, b.hasRoom = r, true
		} else {
			b.rooms = append(slices.Clip(b.rooms), r)
		}
	}
	return b
}

// In is To.
func (b Broadcast) In(rooms ...string) Broadcast { return b.To(rooms...) }

// Except leaves out sockets that are in any of the rooms, or have one of the
// ids.
func (b Broadcast) Except(rooms ...string) Broadcast {
	for _, r := range rooms {
		if !b.hasExcept {
			b.except, b.hasExcept = r, true
		} else {
			b.excepts = append(slices.Clip(b.excepts), r)
		}
	}
	return b
}

// Volatile lets the event be dropped wherever it would have to wait. Such
// events are not replayed to recovered clients.
func (b Broadcast) Volatile() Broadcast { b.flags |= castVolatile; return b }

// Local restricts the call to sockets of this server.
func (b Broadcast) Local() Broadcast { b.flags |= castLocal; return b }

// Compress(false) marks the event as not worth compressing.
func (b Broadcast) Compress(on bool) Broadcast { b.flags = b.flags.compress(on); return b }

func (f castFlags) compress(on bool) castFlags {
	if on {
		return f &^ castUncompressed
	}
	return f | castUncompressed
}

// message makes the message of a packet that is sent with these flags.
func (f castFlags) message(frames protocol.Frames, former transport.Former) *transport.Message {
	m := transport.NewMessage(frames, former)
	if f&castUncompressed != 0 {
		m.DisableCompression()
	}
	return m
}

// Latest says that the event is the newest value of key: while it waits for a
// slow client, a later one of this namespace with the same key replaces it. It
// implies Fast.
func (b Broadcast) Latest(key string) Broadcast {
	b.latest, b.durability = key, durabilityFast
	return b
}

// Fast sends the event at once and at most once, without storing it for
// clients that recover.
func (b Broadcast) Fast() Broadcast { b.durability = durabilityFast; return b }

// Durable stores the event in the backplane's log before it is delivered, so
// that every server delivers it in the same order and clients that recover get
// it. It is the default where recovery is enabled.
func (b Broadcast) Durable() Broadcast { b.durability = durabilityDurable; return b }

// target makes the lists that the index and envelopes work with. The backing
// arrays are the caller's, to keep short lists off the heap.
func (b *Broadcast) target(rooms, except []string) (target, error) {
	var t target
	if b.hasRoom {
		t.rooms = append(append(rooms, b.room), b.rooms...)
	}
	if b.hasExcept {
		t.except = append(append(except, b.except), b.excepts...)
	}
	if err := b.ns.checkRooms(t.rooms); err != nil {
		return t, err
	}
	return t, b.ns.checkRooms(t.except)
}

// checkRooms checks the rooms of one call (R8).
func (ns *Namespace) checkRooms(rooms []string) error {
	if err := checkLimit("number of rooms", len(rooms), maxTargets); err != nil {
		return err
	}
	for _, r := range rooms {
		if err := checkLimit("room name", len(r), ns.srv.cfg.MaxRoom); err != nil {
			return err
		}
		if !utf8.ValidString(r) {
			return fmt.Errorf("%w: %.40q", ErrRoomName, r)
		}
	}
	return nil
}

// Emit encodes the event once and sends it to all sockets that b addresses, on
// every server. For this server's sockets it returns when the event has its
// place in their order; it waits, within ctx, only while the node's own queues
// are full. A durable emit returns when the event is stored and applied here, or
// fails with ctx, and after 20 s at the latest; a handler that waits for it delays
// its own socket only. OnConnect should use EmitAsync.
//
// Errors: ErrReserved, *LimitError, an encoding error, ErrClosed, ctx's error,
// ErrDegraded with LogDownLive, or the backplane's, in which case this server's own sockets have been served
// if the event is not durable.
func (b Broadcast) Emit(ctx context.Context, event string, args ...any) error {
	if b.ns.template != nil {
		return b.forChildren(func(b Broadcast) error { return b.Emit(ctx, event, args...) })
	}
	f, err := b.ns.encode(event, args)
	if err != nil {
		return err
	}
	return b.emit(ctx, event, f)
}

// Send is Emit of the event "message".
func (b Broadcast) Send(ctx context.Context, args ...any) error {
	return b.Emit(ctx, "message", args...)
}

// EmitArgs is Emit for a relay that holds encoded arguments; their binary
// values are shared and must not be changed.
func (b Broadcast) EmitArgs(ctx context.Context, event string, args protocol.Args) error {
	if b.ns.template != nil {
		return b.forChildren(func(b Broadcast) error { return b.EmitArgs(ctx, event, args) })
	}
	f, err := b.ns.encodeArgs(event, args)
	if err != nil {
		return err
	}
	return b.emit(ctx, event, f)
}

// forChildren repeats a call for each namespace that a Dynamic stands for.
func (b Broadcast) forChildren(f func(Broadcast) error) error {
	var errs []error
	for _, ns := range b.ns.real() {
		b.ns = ns
		errs = append(errs, f(b))
	}
	return errors.Join(errs...)
}

func (b *Broadcast) emit(ctx context.Context, event string, f protocol.Frames) error {
	srv := b.ns.srv
	var rooms, except [4]string
	t, err := b.prepare(event, f, rooms[:0], except[:0])
	if err != nil {
		return err
	}
	if b.isDurable() {
		return b.emitDurable(ctx, &t, f)
	}
	if b.flags&castVolatile == 0 {
		if err := b.ns.waitForRoom(ctx); err != nil {
			return err
		}
	}
	defer srv.underway.end(srv.underway.begin())
	b.ns.broadcast(&t, b.cast(f))
	srv.stats.broadcasts.Add(1)
	if b.flags&castLocal != 0 || !srv.clustered() {
		return nil
	}
	return srv.cfg.Backplane.Publish(ctx, b.ns.address(&t), b.envelope(&t, f))
}

// prepare checks what is to be sent, finds the namespace and shows the event to
// the handlers of OnAnyOutgoing. The lists are as for target.
func (b *Broadcast) prepare(event string, f protocol.Frames, rooms, except []string) (target, error) {
	t, err := b.target(rooms, except)
	switch {
	case err != nil:
		return t, err
	case b.ns.srv.down.Load():
		return t, ErrClosed
	}
	b.ns = b.ns.current()
	b.ns.outgoing(event, f)
	return t, nil
}

// cast is the broadcast as this server's shards get it.
func (b *Broadcast) cast(f protocol.Frames) transport.Cast {
	return transport.Cast{Message: b.flags.message(f, plain{}), Volatile: b.flags&castVolatile != 0, Key: b.ns.queueKey(b.latest)}
}

func (b *Broadcast) isDurable() bool {
	switch {
	case b.flags&(castVolatile|castLocal) != 0 || b.latest != "" || b.durability == durabilityFast:
		return false
	case b.durability == durabilityDurable:
		return true
	}
	return b.ns.srv.recovery != nil
}

// envelope is the broadcast as other servers get it.
func (b *Broadcast) envelope(t *target, f protocol.Frames) *backplane.Envelope {
	env := &backplane.Envelope{
		Kind: backplane.KindEvent, Origin: b.ns.srv.id, ID: b.ns.srv.nextEnvelope(), Namespace: b.ns.name,
		Target: backplane.Target{Rooms: slices.Clone(t.rooms), Except: slices.Clone(t.except)},
		Key:    b.latest, Frames: f,
	}
	if b.flags&castVolatile != 0 {
		env.Flags |= backplane.FlagVolatile
	}
	if b.flags&castUncompressed != 0 {
		env.Flags |= backplane.FlagUncompressed
	}
	return env
}

// emitDurable appends the event to the log; this server delivers it when the
// log's feed brings it, like every other.
func (b *Broadcast) emitDurable(ctx context.Context, t *target, f protocol.Frames) error {
	log := backplane.LogFor(b.ns.srv.cfg.Backplane, b.ns.name)
	if log == nil {
		return ErrNoLog
	}
	env := b.envelope(t, f)
	if b.ns.srv.goesLive(log) {
		return b.emitDegraded(ctx, t, env)
	}
	_, err := log.Append(ctx, env)
	return err
}

// flagsOf is the part of the envelope's flags that concerns the sending.
func flagsOf(env *backplane.Envelope) (f castFlags) {
	if env.Flags.Has(backplane.FlagVolatile) {
		f |= castVolatile
	}
	if env.Flags.Has(backplane.FlagUncompressed) {
		f |= castUncompressed
	}
	return f
}

// deliverEnvelope gives another server's broadcast to this server's sockets.
func (ns *Namespace) deliverEnvelope(env *backplane.Envelope) {
	b := Broadcast{ns: ns, flags: flagsOf(env), latest: env.Key}
	if b.flags&castVolatile == 0 {
		// Full queues delay the backplane's, which is bounded too and counts
		// what it drops.
		_ = ns.waitForRoom(ns.srv.ctx)
	}
	t := target{rooms: env.Target.Rooms, except: env.Target.Except}
	defer ns.srv.underway.end(ns.srv.underway.begin())
	ns.broadcast(&t, b.cast(env.Frames))
}
