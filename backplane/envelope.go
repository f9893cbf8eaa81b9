package backplane

import (
	"fmt"
	"time"

	"github.com/siod-io/siod/protocol"
)

// Kind says what an envelope carries.
type Kind uint8

const (
	_ Kind = iota

	// KindEvent is an event for sockets: Frames, selected by Target. Asked with
	// Request, it wants the acknowledgements of the clients.
	KindEvent

	// KindOperation is an operation of the cluster on sockets or sessions, such
	// as a join or a fetch: Op and Data.
	KindOperation

	// KindReply is an answer: Data, and Frames where the answer is a packet.
	KindReply

	// KindServerEvent is an event between servers, not for clients: Data.
	KindServerEvent

	// KindBreak is a record in a log: emits of Origin were delivered without
	// being stored before it, so no recovery may cross it.
	KindBreak
)

var kindNames = [...]string{"none", "event", "operation", "reply", "server_event", "break"}

// String returns the snake-case name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Flags modify how an envelope is treated. Unknown flags are ignored.
type Flags uint16

const (
	// FlagVolatile: any hop may drop it rather than let it wait.
	FlagVolatile Flags = 1 << iota

	// FlagUncompressed: not worth compressing towards clients.
	FlagUncompressed

	// FlagDegraded: a durable emit that went the fast way because its log took
	// no writes. Its server has told all others before, in a request: anybody
	// who may publish events may set this.
	FlagDegraded

	// FlagOrdered: in a log it must not overtake, nor be overtaken by, others
	// of this publisher that are not acknowledged yet (R23).
	FlagOrdered
)

// Has reports whether all of f are set.
func (g Flags) Has(f Flags) bool { return g&f == f }

// Op numbers an operation. The numbers belong to the package that serves them;
// a backplane carries them.
type Op uint8

// Target selects sockets of a namespace: those in any of Rooms (all if there
// are none) that are in none of Except. Each is selected once, however many
// rooms it is in.
type Target struct {
	Rooms  []string
	Except []string
}

// Envelope is one message between processes. It is immutable from the moment
// it is given to a [Backplane] or a [Log], with everything it refers to, and
// shared by the receivers. Zero fields are absent.
//
// One that came from outside the cluster is untrusted: implementations bound
// it by [Limits] before anyone sees it.
type Envelope struct {
	Kind  Kind
	Op    Op // of a KindOperation
	Flags Flags

	// Origin is the process that made it: the boot id of a node, or an id that
	// another process drew for itself. Empty if it drew none; then nothing of
	// it is deduplicated, and its losses are not counted.
	Origin string

	// ID numbers the envelopes of one origin, for logs to recognise retries
	// and for traces. Each is used once; order means nothing.
	ID uint64

	Namespace string
	Target    Target

	// Key, if set, lets a newer event with the same key replace this one in a
	// queue where both wait.
	Key string

	// Frames is a packet in the default parser's form, without acknowledgement
	// id and without offset. It is written as it is, never decoded on the way.
	Frames protocol.Frames

	// Data is the body of an operation, a reply or a server event, in the
	// encoding of the package that serves it.
	Data []byte

	// Timeout is how long the requester waits, counted from its sending. It is
	// a duration since clocks of nodes differ. Zero means unknown.
	Timeout time.Duration

	// Traceparent is the W3C trace context, if the trace is sampled.
	Traceparent string
}

// envelopeOverhead is the size of an Envelope without what it refers to,
// rounded up.
const envelopeOverhead = 256

// Size estimates the memory an envelope holds, in bytes, for bounds of queues
// and rings.
func (e *Envelope) Size() int {
	n := envelopeOverhead + len(e.Origin) + len(e.Namespace) + len(e.Key) + len(e.Traceparent) +
		len(e.Frames.Text) + len(e.Data)
	for _, r := range e.Target.Rooms {
		n += len(r) + 16
	}
	for _, r := range e.Target.Except {
		n += len(r) + 16
	}
	for _, b := range e.Frames.Binary {
		n += len(b) + 24
	}
	return n
}
