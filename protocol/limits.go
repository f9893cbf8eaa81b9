package protocol

import "github.com/siod-io/siod/protocol/internal/jsonscan"

// Defaults of [Limits].
const (
	DefaultMaxAttachments = 10
	DefaultMaxArguments   = 10_000
	DefaultMaxDepth       = 64
	DefaultMaxEvent       = 128
	DefaultMaxNamespace   = 128
	DefaultMaxQuery       = 4096
	DefaultMaxPending     = 2_000_000
)

// Limits bounds what a decoder accepts. A packet over a limit is refused with
// a [*LimitError]; nothing is ever allocated in proportion to a number the
// peer merely claims.
type Limits struct {
	// MaxAttachments is the number of binary attachments of one packet. Zero
	// means 10, as in socket.io-parser since 4.2.6.
	MaxAttachments int

	// MaxArguments is the number of arguments of one packet, the name of an event
	// not counted. What is noted of each takes more memory than the shortest ones
	// do. Zero means 10,000.
	MaxArguments int

	// MaxDepth is the number of JSON arrays and objects around a value; the
	// argument array itself counts as one. Zero means 64. Values over 10,000
	// are taken as 10,000, since scanning recurses.
	MaxDepth int

	// MaxEvent is the length of an event name in bytes, after unescaping.
	// Zero means 128.
	MaxEvent int

	// MaxNamespace is the length of a namespace in bytes, without its query.
	// Zero means 128.
	MaxNamespace int

	// MaxQuery is the length in bytes of the query that a client of revision
	// 4 may add to a namespace. Zero means 4096.
	MaxQuery int

	// MaxPending is the number of bytes, text and attachments, that a binary
	// packet may hold while it waits for its last attachment. Zero means
	// 2,000,000.
	MaxPending int
}

// WithDefaults returns the limits with every zero or negative field filled.
func (l Limits) WithDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.MaxAttachments, DefaultMaxAttachments)
	def(&l.MaxArguments, DefaultMaxArguments)
	def(&l.MaxDepth, DefaultMaxDepth)
	def(&l.MaxEvent, DefaultMaxEvent)
	def(&l.MaxNamespace, DefaultMaxNamespace)
	def(&l.MaxQuery, DefaultMaxQuery)
	def(&l.MaxPending, DefaultMaxPending)
	l.MaxDepth = min(l.MaxDepth, jsonscan.HardMaxDepth)
	return l
}
