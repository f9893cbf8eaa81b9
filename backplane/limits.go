package backplane

import "cmp"

// Defaults of [Limits] (R8).
const (
	DefaultRoom      = 256
	DefaultNamespace = 128
	DefaultEvent     = 128
	DefaultTargets   = 256
	DefaultPayload   = 1 << 20

	// MaxRoom is the most that Limits.Room can be set to.
	MaxRoom = 4 << 10

	// MaxID bounds boot ids and other origins.
	MaxID = 64

	// MaxKey bounds Envelope.Key.
	MaxKey = 256

	// MaxTraceparent bounds Envelope.Traceparent; version 00 has 55 bytes.
	MaxTraceparent = 128

	// MaxAttachments bounds the number of binary frames of one envelope.
	MaxAttachments = 256
)

// Limits bounds envelopes, those a node makes as those it receives. Zero
// fields mean the default.
type Limits struct {
	Room      int // length of a room name in bytes. Zero means 256, the most is 4 KiB
	Namespace int // length of a namespace in bytes. Zero means 128
	Event     int // length of an event name in bytes. Zero means 128
	Targets   int // number of rooms, and number of excepted rooms. Zero means 256
	Payload   int // bytes of Frames and Data together. Zero means 1 MiB
}

var limitNouns = map[string]string{
	"Room":        "room name length",
	"Namespace":   "namespace length",
	"Event":       "event name length",
	"Targets":     "number of rooms",
	"Payload":     "payload size",
	"ID":          "id length",
	"Key":         "key length",
	"Traceparent": "traceparent length",
	"Attachments": "number of attachments",
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Room:      min(cmp.Or(l.Room, DefaultRoom), MaxRoom),
		Namespace: cmp.Or(l.Namespace, DefaultNamespace),
		Event:     cmp.Or(l.Event, DefaultEvent),
		Targets:   cmp.Or(l.Targets, DefaultTargets),
		Payload:   cmp.Or(l.Payload, DefaultPayload),
	}
}

// Max returns the larger of both, limit by limit.
func (l Limits) Max(other Limits) Limits {
	l, other = l.withDefaults(), other.withDefaults()
	return Limits{
		Room:      max(l.Room, other.Room),
		Namespace: max(l.Namespace, other.Namespace),
		Event:     max(l.Event, other.Event),
		Targets:   max(l.Targets, other.Targets),
		Payload:   max(l.Payload, other.Payload),
	}
}

// Check returns a *[LimitError] if env is over a limit. It allocates nothing
// for an envelope within them.
func (l Limits) Check(env *Envelope) error {
	l = l.withDefaults()
	switch {
	case len(env.Namespace) > l.Namespace:
		return &LimitError{"Namespace", l.Namespace, len(env.Namespace)}
	case len(env.Target.Rooms) > l.Targets:
		return &LimitError{"Targets", l.Targets, len(env.Target.Rooms)}
	case len(env.Target.Except) > l.Targets:
		return &LimitError{"Targets", l.Targets, len(env.Target.Except)}
	case len(env.Origin) > MaxID:
		return &LimitError{"ID", MaxID, len(env.Origin)}
	case len(env.Key) > MaxKey:
		return &LimitError{"Key", MaxKey, len(env.Key)}
	case len(env.Traceparent) > MaxTraceparent:
		return &LimitError{"Traceparent", MaxTraceparent, len(env.Traceparent)}
	case len(env.Frames.Binary) > MaxAttachments:
		return &LimitError{"Attachments", MaxAttachments, len(env.Frames.Binary)}
	}
	for _, rooms := range [...][]string{env.Target.Rooms, env.Target.Except} {
		for _, r := range rooms {
			if len(r) > l.Room {
				return &LimitError{"Room", l.Room, len(r)}
			}
		}
	}
	if n := env.Frames.Size() + len(env.Data); n > l.Payload {
		return &LimitError{"Payload", l.Payload, n}
	}
	return nil
}

// CheckName returns a *[LimitError] if the namespace or the name of a is over a
// limit.
func (l Limits) CheckName(a Address) error {
	l = l.withDefaults()
	switch {
	case len(a.Namespace) > l.Namespace:
		return &LimitError{"Namespace", l.Namespace, len(a.Namespace)}
	case a.Scope == ScopeWorker && len(a.Name) > l.Event:
		return &LimitError{"Event", l.Event, len(a.Name)}
	case len(a.Name) > l.Room:
		return &LimitError{"Room", l.Room, len(a.Name)}
	}
	return nil
}

// CheckSession returns a *[LimitError] if r is over a limit: MaxKey for its
// private id, Payload for its state.
func (l Limits) CheckSession(r SessionRecord) error {
	l = l.withDefaults()
	switch {
	case len(r.PID) > MaxKey:
		return &LimitError{"Key", MaxKey, len(r.PID)}
	case len(r.State) > l.Payload:
		return &LimitError{"Payload", l.Payload, len(r.State)}
	}
	return nil
}
