package client

import "sync"

// mailbox runs what it is given, one after the other, on a goroutine that
// exists only while there is something to run.
type mailbox struct {
	wg   *sync.WaitGroup // counts the goroutine
	room chan struct{}   // holds a token for each event that waits

	mu      sync.Mutex
	items   []item
	running bool
	sealed  bool
}

// item is a notice, which is always run, or an event.
type item struct {
	run   func()
	event bool
}

func newMailbox(wg *sync.WaitGroup, events int) *mailbox {
	return &mailbox{wg: wg, room: make(chan struct{}, events)}
}

// post adds a notice. It never blocks: there are a few per connection.
func (b *mailbox) post(run func()) { b.add(item{run: run}) }

// postEvent adds an event, waiting for room until stop is closed. It reports
// whether it did. Once it did not, no later event of the same session is added:
// there must be no gap before the last one.
func (b *mailbox) postEvent(stop <-chan struct{}, run func()) bool {
	select {
	case <-stop:
		return false
	default:
	}
	select {
	case b.room <- struct{}{}:
		b.add(item{run: run, event: true})
		return true
	case <-stop:
		return false
	}
}

func (b *mailbox) add(it item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return
	}
	b.items = append(b.items, it)
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
			<-b.room
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
