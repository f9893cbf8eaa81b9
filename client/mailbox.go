package client

import "sync"

// mailbox runs what it is given, one after the other, on a goroutine that
// exists only while there is something to run.
type mailbox struct {
	wg *sync.WaitGroup // counts the goroutine

	mu      sync.Mutex
	items   []item
	events  int           // among the items
	space   chan struct{} // closed when an event leaves; nil if nobody waits
	running bool
	sealed  bool
}

// item is a notice, which is always run, or an event.
type item struct {
	run   func()
	event bool
}

func newMailbox(wg *sync.WaitGroup) *mailbox { return &mailbox{wg: wg} }

// post adds a notice. It never blocks: there are a few per connection.
func (b *mailbox) post(run func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(item{run: run})
}

// postEvent adds an event if fewer than limit wait. If not, it returns a channel
// that is closed when the next one has left.
func (b *mailbox) postEvent(limit int, run func()) (full <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.events >= limit && !b.sealed {
		if b.space == nil {
			b.space = make(chan struct{})
		}
		return b.space
	}
	b.add(item{run: run, event: true})
	return nil
}

// add is called with the mutex held.
func (b *mailbox) add(it item) {
	if b.sealed {
		return
	}
	b.items = append(b.items, it)
	if it.event {
		b.events++
	}
	if !b.running {
		b.running = true
		b.wg.Go(b.drain)
	}
}

func (b *mailbox) drain() {
	for {
		it, ok := b.next()
		if !ok {
			return
		}
		it.run()
	}
}

func (b *mailbox) next() (item, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.items) > 0 {
		it := b.items[0]
		b.items[0] = item{}
		b.items = b.items[1:]
		if it.event {
			b.events--
			if b.space != nil {
				close(b.space)
				b.space = nil
			}
			if b.sealed {
				continue
			}
		}
		return it, true
	}
	b.items, b.running = nil, false
	return item{}, false
}

// seal drops events that wait and refuses all that is posted later.
func (b *mailbox) seal() {
	b.mu.Lock()
	b.sealed = true
	b.mu.Unlock()
}
