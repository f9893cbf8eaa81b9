package transport

import (
	"hash/maphash"
	"slices"
)

// retry recognises a request that a balancer or a browser sends again because
// the connection broke before it saw the answer: it bears the same "t", the
// time stamp by which clients make every URL unique, as the last request of
// its direction (V18). Without it such a POST would be dispatched twice and
// the packets of such a poll lost. The retry of a POST is answered as the POST
// itself, when that has been handled. The first of two such polls may also be the
// one that arrives late: it must not take what the client waits for elsewhere.
type retry struct {
	lastGet, lastPost uint64     // hashes of the stamps; 0: none was sent
	postErr           error      // why the last POST was not taken, when it has ended
	postAgain         chan error // gets the same for a retry that waits; nil if none does
	gets              [64]uint64 // those of polls before the last, in no order: a poll of a busy client can be late by many
	next              uint8      // the place in gets to be overwritten
	sent              *buffer    // the last poll's answer, until the next poll comes; not to be changed
	contentType       string
	number            uint32 // of the last poll, which its retries have, too
	writing           int    // answers to it that are being written
	reached           bool   // one of them was written
}

var stampSeed = maphash.MakeSeed()

// stamp hashes the query parameter "t". A stamp of digits alone counts as none:
// some clients send the time in milliseconds, which two requests can share. The
// official ones add a counter, letters or a fraction.
func stamp(t string) uint64 {
	if allDigits(t) {
		return 0
	}
	return maphash.String(stampSeed, t) | 1
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

type retryKind uint8

const (
	retryNone    retryKind = iota // an ordinary request
	retryResend                   // answer with sent
	retryReplace                  // take the pending poll's place
	retryLate                     // the client is two polls on: nobody waits for an answer
)

// get notes a poll and tells what it is. pending says that one is waiting.
func (r *retry) get(stamp uint64, pending bool) retryKind {
	again := stamp != 0 && stamp == r.lastGet
	switch {
	case again && pending:
		return retryReplace
	case again && r.sent != nil:
		return retryResend
	case !again && stamp != 0 && slices.Contains(r.gets[:], stamp):
		return retryLate
	case !again:
		r.gets[r.next%uint8(len(r.gets))] = r.lastGet
		r.next++
	}
	r.lastGet = stamp
	r.number++
	r.writing, r.reached = 0, false
	r.release()
	return retryNone
}

// posted reports whether a POST is a retry of the last.
func (r *retry) posted(stamp uint64) bool { return stamp != 0 && stamp == r.lastPost }

// awaitPost has a retry wait for the end of the POST that it repeats, in place of
// another that does.
func (r *retry) awaitPost() <-chan error {
	r.tellAgain(errPostPast)
	r.postAgain = make(chan error, 1)
	return r.postAgain
}

// postEnd notes what became of the last POST, and tells a retry that waits for it.
func (r *retry) postEnd(err error) {
	r.postErr = err
	r.tellAgain(err)
}

func (r *retry) tellAgain(err error) {
	if r.postAgain != nil {
		r.postAgain <- err // has room, and gets nothing else
		r.postAgain = nil
	}
}

// keep holds a poll's answer for the case that it is asked for again. It is
// called before the answer is written: when the poll's connection breaks, the
// retry may come while that is still going on. written is due afterwards.
func (r *retry) keep(stamp uint64, b *buffer, contentType string) {
	b.busy = true
	if stamp != 0 && stamp == r.lastGet {
		r.release()
		r.sent, r.contentType = b, contentType
	}
}

// written gives the buffer of an answer back, unless it is kept.
func (r *retry) written(b *buffer) {
	if b.busy = false; b != r.sent {
		putBuffer(b)
	}
}

// answer notes that an answer to the last poll is about to be written, and
// returns the poll's number. lost is due afterwards.
func (r *retry) answer() (number uint32) {
	r.writing++
	return r.number
}

// lost notes how the writing of an answer ended, and reports whether the client
// cannot have it: a connection that broke says nothing if the poll was, or may
// yet be, answered on another one, or if the client has polled again, for which
// it needs the answer. Without a stamp that next poll may be a retry.
func (r *retry) lost(number uint32, stamp uint64, err error) bool {
	if stamp == 0 || number != r.number {
		return stamp == 0 && err != nil
	}
	r.writing--
	r.reached = r.reached || err == nil
	return !r.reached && r.writing == 0
}

// release lets the kept answer go: the client has it.
func (r *retry) release() {
	if r.sent != nil && !r.sent.busy {
		putBuffer(r.sent)
	}
	r.sent = nil
}

// replace makes the pending poll give way to a retry of it.
func (p *poll) replace() {
	close(p.wake)
	p.wake = make(chan struct{}, 1)
	if p.end != pollWait {
		p.wake <- struct{}{}
	}
}
