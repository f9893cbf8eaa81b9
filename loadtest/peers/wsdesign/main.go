// Command wsdesign is the same tiny broadcast/echo server in several WebSocket designs.
// Protocol (siobench -proto raw): "j" joins and is answered "j"; "b..." is
// broadcast to every joined connection; "e..." is answered with itself.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

var (
	addr   = flag.String("addr", "127.0.0.1:4000", "address to listen on")
	impl   = flag.String("impl", "gobwas", "gobwas gobwasq gobwashttp hybrid hybridq epoll coder gorilla gws")
	shards = flag.Int("shards", 1, "workers that share a broadcast")
	bufq   = flag.Int("q", 64, "queue length of a connection with gobwasq")
)

// hub holds the members of the one room.
type hub[T any] struct {
	mu sync.RWMutex
	m  map[*T]struct{}
	l  []*T
}

func (h *hub[T]) add(c *T) { h.mu.Lock(); h.l = append(h.l, c); h.mu.Unlock() }
func (h *hub[T]) del(c *T) {
	h.mu.Lock()
	for i, x := range h.l {
		if x == c {
			h.l[i] = h.l[len(h.l)-1]
			h.l = h.l[:len(h.l)-1]
			break
		}
	}
	h.mu.Unlock()
}
func (h *hub[T]) each(f func(*T)) {
	h.mu.RLock()
	l := h.l
	h.mu.RUnlock()
	if *shards <= 1 {
		for _, c := range l {
			f(c)
		}
		return
	}
	var wg sync.WaitGroup
	n := *shards
	for s := 0; s < n; s++ {
		part := l[len(l)*s/n : len(l)*(s+1)/n]
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, c := range part {
				f(c)
			}
		}()
	}
	wg.Wait()
}

func main() {
	flag.Parse()
	go func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM, syscall.SIGINT)
		<-c
		os.Exit(0)
	}()
	time.AfterFunc(15*time.Minute, func() { os.Exit(0) })
	if os.Getenv("GCTICK") != "" { // for idle-memory tests: collect and return memory
		go func() {
			for range time.Tick(1500 * time.Millisecond) {
				debug.FreeOSMemory()
			}
		}()
	}
	fmt.Fprintln(os.Stderr, "impl", *impl, "pid", os.Getpid())
	err := fmt.Errorf("there is no design %q", *impl)
	switch *impl {
	case "gobwas":
		err = gobwas(false)
	case "gobwasq":
		err = gobwas(true)
	case "gobwashttp":
		err = gobwashttp()
	case "hybrid":
		err = hybrid(false)
	case "hybridq":
		err = hybrid(true)
	case "epoll":
		err = epoll()
	case "coder":
		err = coder()
	case "gorilla":
		err = gorilla()
	case "gws":
		err = lxzan()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
