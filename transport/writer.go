package transport

// writer is a shard's writing half: everything in it belongs to the shard's
// goroutine. It works in passes, one for each content of the inbox.
type writer struct {
	shard *Shard
	gen   uint32 // number of the pass, to tell marks of this pass from older ones

	joined [FormCount][wirePoll4]joined // one set of recipients, all casts joined

	// Several sets in one pass: what each touched session gets, as linked
	// lists in one arena, so that nothing is allocated for a session.
	links []link
	dirty []*Session

	solos   []Cast
	scratch []byte
	parts   []part

	writes, delivered, dropped uint64
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

// yieldEvery is after how many sessions a long run lets operations for single
// sessions through: an acknowledgement must not wait for a room of 100,000.
const yieldEvery = 1000

// keepScratch bounds the memory that a writer keeps from one pass to the next.
const keepScratch = 1 << 20

func newWriter(sh *Shard) *writer { return &writer{shard: sh} }

func (w *writer) pass(batch []Cast) {
	w.gen++
	if sameTarget(batch) {
		w.run(batch)
	} else {
		w.scatter(batch)
	}
	w.shard.writes.Add(w.writes)
	w.shard.delivered.Add(w.delivered)
	w.shard.droppedVolatile.Add(w.dropped)
	w.writes, w.delivered, w.dropped = 0, 0, 0
}

// sameTarget tells whether all casts name the very same recipients.
func sameTarget(batch []Cast) bool {
	a := &batch[0]
	for i := 1; i < len(batch); i++ {
		b := &batch[i]
		switch {
		case (a.To == nil) != (b.To == nil):
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

// run writes casts that share one target set: the messages are joined once for
// each kind of session, and a session costs one lock and one write.
func (w *writer) run(batch []Cast) {
	for f := range w.joined {
		for k := range w.joined[f] {
			w.joined[f][k].valid = false
		}
	}
	if batch[0].To == nil {
		w.one(batch, batch[0].Solo)
		return
	}
	excepts := false
	for i := range batch {
		excepts = excepts || batch[i].Except != nil
	}
	for i, r := range batch[0].To {
		if excepts && excepted(batch, r.Session) {
			w.some(batch, r)
		} else {
			w.one(batch, r)
		}
		r.Session.passGen = w.gen
		if i%yieldEvery == yieldEvery-1 {
			w.yield()
		}
	}
	for f := range w.joined {
		for k := range w.joined[f] {
			j := &w.joined[f][k]
			j.buf = nil
			clear(j.parts)
			if cap(j.mine) > keepScratch {
				*j = joined{}
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
		j := w.join(batch, r.Form, s.wire)
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
			w.addPart(c, r.Form, s.wire)
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

func partOf(c *Cast, f Form, end int) part {
	return part{item: item{msg: c.Message, form: f, volatile: c.Volatile, key: c.Key, free: c.Replay}, end: end}
}

func (w *writer) addPart(c *Cast, f Form, k wire) {
	w.scratch = append(w.scratch, c.Message.bytes(f, k, w.shard.engine.deflateAbove)...)
	w.parts = append(w.parts, partOf(c, f, len(w.scratch)))
}

func (w *writer) enqueue(s *Session, c *Cast, f Form) {
	if !s.enqueue(item{msg: c.Message, form: f, volatile: c.Volatile, key: c.Key, free: c.Replay}) {
		w.dropped++
		return
	}
	w.delivered++
}

func (w *writer) count(n int) {
	w.writes++
	w.delivered += uint64(n)
}

// scatter writes casts for different sets: first every session's share is
// noted, then each session gets its share in one write.
func (w *writer) scatter(batch []Cast) {
	w.links, w.dirty = w.links[:0], w.dirty[:0]
	for i := range batch {
		c := &batch[i]
		if c.To == nil {
			w.note(c.Solo, int32(i))
			continue
		}
		for _, r := range c.To {
			if r.Session != c.Except {
				w.note(r, int32(i))
			}
		}
	}
	for i, s := range w.dirty {
		w.share(batch, s)
		w.dirty[i] = nil
	}
}

func (w *writer) note(r Recipient, cast int32) {
	s := r.Session
	at := int32(len(w.links))
	w.links = append(w.links, link{cast: cast, next: -1, form: r.Form})
	if s.passGen != w.gen {
		s.passGen, s.passFirst = w.gen, at
		w.dirty = append(w.dirty, s)
	} else {
		w.links[s.passLast].next = at
	}
	s.passLast = at
}

// share writes what was noted for one session.
func (w *writer) share(batch []Cast, s *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	direct := s.canWrite()
	w.scratch, w.parts = w.scratch[:0], w.parts[:0]
	for at := s.passFirst; at >= 0; at = w.links[at].next {
		c, f := &batch[w.links[at].cast], w.links[at].form
		if !direct {
			w.enqueue(s, c, f)
			continue
		}
		w.addPart(c, f, s.wire)
		if len(w.scratch) >= maxJoin {
			w.count(s.writeParts(w.scratch, w.parts))
			w.scratch, w.parts = w.scratch[:0], w.parts[:0]
			direct = s.canWrite()
		}
	}
	if len(w.parts) > 0 {
		w.count(s.writeParts(w.scratch, w.parts))
	}
}

// maxJoin bounds the copying for one write of a session's own share.
const maxJoin = 64 << 10

// yield lets operations for single sessions through in the middle of a run.
func (w *writer) yield() {
	w.solos = w.shard.takeSolos(func(s *Session) bool { return s.passGen == w.gen }, w.solos[:0])
	for i := range w.solos {
		c := &w.solos[i]
		s := c.Solo.Session
		s.mu.Lock()
		if s.canWrite() {
			w.scratch, w.parts = w.scratch[:0], w.parts[:0]
			w.addPart(c, c.Solo.Form, s.wire)
			w.count(s.writeParts(w.scratch, w.parts))
		} else {
			w.enqueue(s, c, c.Solo.Form)
		}
		s.mu.Unlock()
	}
	w.shard.flushed.Add(uint64(len(w.solos)))
	clear(w.solos)
}
