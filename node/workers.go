package node

import (
	"runtime"
	"sync"
)

// keepWorkers is how many goroutines without work a server keeps for each
// processor. They exist for their stacks: a new goroutine begins with 2 KB and
// copies its stack twice on the way through a handler, which costs more than
// everything else about starting it.
const keepWorkers = 8

// workers are the goroutines that run mailboxes. One that has emptied a
// mailbox waits here for the next; the last to wait is the first to get one,
// since its stack and its caches are the likeliest to be warm. While it waits
// it is no task: Shutdown ends it.
type workers struct {
	mu     sync.Mutex
	keep   int
	closed bool
	idle   []chan *Socket // each is where one waits; a closed one ends it
}

func (ws *workers) init() { ws.keep = keepWorkers * runtime.GOMAXPROCS(0) }

// hand gives s to a goroutine that waits, if there is one.
func (ws *workers) hand(s *Socket) bool {
	ws.mu.Lock()
	n := len(ws.idle)
	if n == 0 {
		ws.mu.Unlock()
		return false
	}
	next := ws.idle[n-1]
	ws.idle[n-1] = nil
	ws.idle = ws.idle[:n-1]
	ws.mu.Unlock()
	next <- s
	return true
}

// wait returns where the next socket with work will come, or nil if the
// goroutine is not kept.
func (ws *workers) wait(next chan *Socket) chan *Socket {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed || len(ws.idle) >= ws.keep {
		return nil
	}
	if next == nil {
		next = make(chan *Socket, 1) // hand does not wait
	}
	ws.idle = append(ws.idle, next)
	return next
}

// run is such a goroutine, which begins with s.
func (ws *workers) run(s *Socket) {
	var next chan *Socket
	for s != nil {
		s.workAsTask()
		if next = ws.wait(next); next == nil {
			return
		}
		s = <-next
	}
}

// close ends those that wait; none waits any more.
func (ws *workers) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	for _, next := range ws.idle {
		close(next)
	}
	ws.idle = nil
}
