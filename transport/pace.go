package transport

import (
	"errors"
	"time"
)

// pace decides on whose stack a connection waits. Handling a message grows the
// reader's stack from 2 KB to 4 KB or more, and the runtime does not shrink it
// again. So a reader that is about to wait for a quiet client hands over to a
// fresh goroutine, which costs about a microsecond; the reader of a busy
// client keeps its stack. It belongs to the reader's goroutine.
type pace struct {
	parked time.Time
	reads  uint8 // since the goroutine began
	quick  uint8 // reads in a row that followed the one before closely
	fresh  bool  // the goroutine has only waited
}

const (
	// quietGap is what makes a client quiet.
	quietGap = time.Second
	// quickReads in a row make it busy.
	quickReads = 8
)

// errHandOver is what read returns to a reader that should hand over.
var errHandOver = errors.New("transport: hand over to a fresh goroutine")

// got notes that bytes were read.
func (p *pace) got() {
	if p.fresh {
		p.fresh = false
		if time.Since(p.parked) > quietGap {
			p.quick = 0
		} else if p.quick < quickReads {
			p.quick++
		}
	}
	p.reads = 1
}

// handOver is asked when the reader would wait. It reports whether a fresh
// goroutine should wait instead.
func (p *pace) handOver() bool {
	if p.reads > 0 && p.quick < quickReads {
		p.reads = 0
		return true
	}
	p.parked, p.fresh = time.Now(), true
	return false
}
