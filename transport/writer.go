package transport

// writer is a shard's writing half: everything in it belongs to the shard's
// goroutine. It works in passes, one for each content of the inbox.
type writer struct {
	shard *Shard
	gen   uint64 // number of the pass, to tell marks of this pass from older ones
	// marked: every session that the pass has something left for bears a mark
	// of it, so that one without is free for casts that come in between.
	marked bool

	joined [FormCount][wsWires]joined // one set of recipients, all casts joined

	// Several sets in one pass: what each touched session gets, as linked
	// lists in one arena, so that nothing is allocated for a session.
	links []link
	dirty []*Session

	solos   []Cast
	scratch []byte
	parts   []part

	writes          uint64
	delivered, sent int
}

// joined is the run's messages as one byte string for one kind of session.
type joined struct {
	buf   []byte // what is written: mine, or the only message's own bytes
	mine  []byte // backing of joins, reused from pass to pass
	parts []part
	valid bool
}

// part is one message within a joined buffer: needed when the kernel takes
// only some of the bytes.
type part struct {
	item item
	end  int
}

type link struct {
	cast int32
	next int32 // index in links, -1 ends the list
	form Form  // sockets of several namespaces on one session differ in it
}

// Marks of a session in Session.passFirst, valid in the pass of passGen. What
// is not negative is the start of its list of links.
const (
	markServed int32 = -1 - iota // the pass has nothing left for it
	markLeft                     // it has
)

const (
	// yieldEvery is after how many sessions a long pass lets casts for single
	// sessions through: an acknowledgement must not wait for a room of 100,000.
	yieldEvery = 1000

	// maxJoin bounds the bytes that are copied together for one write.
	maxJoin = 256 << 10

	// keepScratch bounds the memory that a writer keeps from one pass to the
	// next.
	keepScratch = 1 << 20
	keepParts   = 256

	// maxLinks bounds the casts times recipients that are noted at once when a
	// pass has several target sets.
	maxLinks = 1 << 20
)

func newWriter(sh *Shard) *writer { return &writer{shard: sh} }

// pass carries out what was in the inbox: as one, but for so much that the
// memory for it would be large.
func (w *writer) pass(batch []Cast) {
	for len(batch) > 0 {
		same := sameTarget(batch)
		n := portion(batch, same)
		w.gen++
		w.marked = false
		last := n == len(batch)
		if same {
			w.run(batch[:n], last)
		} else {
			w.scatter(batch[:n], last)
		}
		batch = batch[n:]
	}
	w.scratch = trim(w.scratch, keepScratch)
	w.parts = trim(w.parts, keepParts)
	w.links, w.dirty = trim(w.links, maxLinks), trim(w.dirty, maxLinks)
	clear(w.parts[:cap(w.parts)])
	w.shard.wrote(w.writes, w.delivered, w.sent)
	w.writes, w.delivered, w.sent = 0, 0, 0
}

// trim empties a slice for the next pass, and lets it go if it has grown large.
func trim[T any](s []T, keep int) []T {
	if cap(s) > keep {
		return nil
	}
	return s[:0]
}

// sameTarget tells whether all casts are messages for the very same
// recipients.
func sameTarget(batch []Cast) bool {
	a := &batch[0]
	for i := range batch {
		switch b := &batch[i]; {
		case b.Message == nil, (a.To == nil) != (b.To == nil):
			return false
		case a.To == nil:
			if a.Solo != b.Solo {
				return false
			}
		case len(a.To) != len(b.To) || &a.To[0] != &b.To[0]:
			return false
		}
	}
	return true
}

// portion is how many casts from the front are carried out together.
func portion(batch []Cast, same bool) int {
	size, links := 0, 0
	for i := range batch {
		size += batch[i].size()
		links += len(batch[i].To) + 1
		if i > 0 && (same && size > maxJoin || !same && links > maxLinks) {
			return i
		}
	}
	return len(batch)
}

// run writes casts that share one target set: the messages are joined once for
// each kind of session, and a session costs one lock and one write. last says
// that nothing more follows in this pass.
func (w *writer) run(batch []Cast, last bool) {
	if batch[0].To == nil {
		w.one(batch, batch[0].Solo)
		w.forgetJoined()
		return
	}
	excepts := false
	for i := range batch {
		excepts = excepts || batch[i].Except != nil
	}
	to := batch[0].To
	long := last && len(to) > yieldEvery
	for i, r := range to {
		if excepts && excepted(batch, r.Session) {
			w.some(batch, r)
		} else {
			w.one(batch, r)
		}
		if long {
			r.Session.passGen, r.Session.passFirst = w.gen, markServed
			if i%yieldEvery == yieldEvery-1 {
				w.yield(to[i+1:])
			}
		}
	}
	w.forgetJoined()
}

// forgetJoined makes the joins of a run invalid and lets their messages go.
func (w *writer) forgetJoined() {
	for f := range w.joined {
		for k := range w.joined[f] {
			j := &w.joined[f][k]
			if !j.valid {
				continue
			}
			j.valid, j.buf = false, nil
			clear(j.parts)
			if cap(j.mine) > keepScratch {
				j.mine = nil
			}
		}
	}
}

func excepted(batch []Cast, s *Session) bool {
	for i := range batch {
		if batch[i].Except == s {
			return true
		}
	}
	return false
}

// one gives all casts of the batch to one session.
func (w *writer) one(batch []Cast, r Recipient) {
	s := r.Session
	s.mu.Lock()
	if s.canWrite() {
		j := w.join(batch, r.Form, s.conn.wire)
		w.count(s.writeParts(j.buf, j.parts))
	} else {
		for i := range batch {
			w.enqueue(s, &batch[i], r.Form)
		}
	}
	s.mu.Unlock()
}

// some gives a session those casts that do not except it.
func (w *writer) some(batch []Cast, r Recipient) {
	s := r.Session
	s.mu.Lock()
	direct := s.canWrite()
	w.scratch, w.parts = w.scratch[:0], w.parts[:0]
	for i := range batch {
		switch c := &batch[i]; {
		case c.Except == s:
		case direct:
			w.addPart(c, r.Form, s.conn.wire)
		default:
			w.enqueue(s, c, r.Form)
		}
	}
	if len(w.parts) > 0 {
		w.count(s.writeParts(w.scratch, w.parts))
	}
	s.mu.Unlock()
}

func (w *writer) join(batch []Cast, f Form, k wire) *joined {
	if f >= FormCount {
		f = 0 // as Message.row has it
	}
	j := &w.joined[f][k]
	if j.valid {
		return j
	}
	j.valid = true
	j.parts = j.parts[:0]
	if len(batch) == 1 {
		j.buf = batch[0].Message.bytes(f, k, w.shard.engine.deflateAbove)
		j.parts = append(j.parts, partOf(&batch[0], f, len(j.buf)))
		return j
	}
	// The buffer of a single message is the message's own: never append to it.
	buf := j.mine[:0]
	for i := range batch {
		buf = append(buf, batch[i].Message.bytes(f, k, w.shard.engine.deflateAbove)...)
		j.parts = append(j.parts, partOf(&batch[i], f, len(buf)))
	}
	j.buf, j.mine = buf, buf
	return j
}

func itemOf(c *Cast, f Form) item {
	return item{msg: c.Message, form: f, volatile: c.Volatile, key: c.Key, free: c.Replay}
}

func partOf(c *Cast, f Form, end int) part { return part{item: itemOf(c, f), end: end} }

func (w *writer) addPart(c *Cast, f Form, k wire) {
	w.scratch = append(w.scratch, c.Message.bytes(f, k, w.shard.engine.deflateAbove)...)
	w.parts = append(w.parts, partOf(c, f, len(w.scratch)))
}

func (w *writer) enqueue(s *Session, c *Cast, f Form) {
	if s.enqueue(itemOf(c, f)) {
		w.delivered++
	}
}

func (w *writer) count(taken, n int) {
	w.writes++
	w.delivered += taken
	w.sent += n
}
