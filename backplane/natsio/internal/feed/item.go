package feed

import "time"

// Item is one entry of the log as it came from anywhere.
type Item[T any] struct {
	Seq    uint64
	Stored int64 // by the log's clock, nanoseconds since 1970
	Size   int   // bytes, for the bound of what is held
	Value  T
}

// Mark is an entry's place and time, by which it is known again.
type Mark struct {
	Seq    uint64
	Stored int64 // 0 for the position before the first entry, and for one whose time is not known
}

// Handler takes what the sequencer decides. Calls never overlap.
type Handler[T any] interface {
	// Apply takes the next entry. It may block.
	Apply(Item[T])

	// Reset moves the position without applying what lies between.
	Reset(Reset)
}

// Reset says that the feed goes on after another entry.
type Reset struct {
	Mark
	Created int64 // of the log; it differs after a log was created anew
	Reason  Reason
}

// Reason says why a position was reset.
type Reason uint8

// The reasons.
const (
	_      Reason = iota
	Start         // the end of the log when this node came
	Jump          // entries were gone before this node got them
	Rewind        // the log lost entries that were applied here, or was created anew
)

var reasonNames = [...]string{"none", "start", "jump", "rewind"}

// String returns the lower-case name.
func (r Reason) String() string { return reasonNames[r] }

// Info is what the log says about itself.
type Info struct {
	Created    int64 // nanoseconds since 1970
	First      uint64
	Last       uint64 // survives the expiry of the entry
	LastStored int64  // that of Last
	Leader     bool   // the answer names a leader, or the log is not replicated

	// Deleted lists missing sequences between First and Last, ascending. It is
	// only there if the question asked for it.
	Deleted []uint64
}

// Action is something that the driver should do, without waiting for it here.
// Of each kind at most one is under way.
type Action struct {
	Kind ActionKind

	// Of a Fetch: entries with From <= Seq <= UpTo are wanted, in sequence, as
	// many as one request yields but at least one if there is one. With Leader
	// the leader must answer, otherwise any replica may.
	From, UpTo uint64
	Leader     bool

	// Of an Ask: also list deleted sequences.
	Deleted bool

	cursor uint64 // the sequencer's, when the action was given
	known  uint64
	serial uint64
}

// ActionKind is the kind of an [Action].
type ActionKind uint8

// The kinds.
const (
	_     ActionKind = iota
	Ask              // the leader for an Info
	Fetch            // entries
)

// Config sets a sequencer's bounds. Zero fields mean the default.
type Config struct {
	Remember int           // entries whose time is remembered, to notice a log that went back. Zero means 131,072
	Hold     int           // entries held back until those before them come. Zero means 10,000
	HoldSize int           // bytes of them. Zero means 16 MiB
	Busy     time.Duration // between tail checks while entries flow. Zero means 250 ms
	Idle     time.Duration // between tail checks otherwise. Zero means 1 s
	Patience time.Duration // how long the leader must claim to end below what was applied until it is believed. Zero means 25 s
	Retry    time.Duration // until a question that failed is asked again. Zero means 100 ms
}

func (c Config) withDefaults() Config {
	set(&c.Remember, 1<<17)
	set(&c.Hold, 10_000)
	set(&c.HoldSize, 16<<20)
	set(&c.Busy, 250*time.Millisecond)
	set(&c.Idle, time.Second)
	set(&c.Patience, 25*time.Second)
	set(&c.Retry, 100*time.Millisecond)
	return c
}

func set[T int | time.Duration](v *T, zero T) {
	if *v == 0 {
		*v = zero
	}
}

// Stats counts what happened, since the start.
type Stats struct {
	Applied   uint64 // entries
	Repeated  uint64 // entries that came again
	Filled    uint64 // entries that did not come by themselves and were fetched
	Passed    uint64 // sequences that hold no entry any more
	Skipped   uint64 // sequences lost to this node: expired before they came
	Overflow  uint64 // entries not held, to be fetched later
	Rewinds   uint64
	Questions uint64 // Asks and Fetches
}
