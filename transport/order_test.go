package transport

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
)

// TestOrder sends from several goroutines in every way that there is, to fast
// and slow clients over WebSocket and polling, with small socket buffers. Every
// client gets all that is meant for it, whole, once, and what one goroutine sent
// in the order in which it did.
func TestOrder(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	const senders, each, clients = 4, 250, 9
	s := start(t, Config{Shards: 2, WriteTimeout: time.Hour, PingInterval: time.Hour, Queue: Queue{MaxBytes: 1 << 30, MaxMessages: 1 << 20}})
	o := &orderly{T: t, want: make([][senders][]int, clients)}
	for i := range clients {
		if i%3 == 2 {
			p := s.openPolling("EIO=4")
			o.xs = append(o.xs, p.session())
			o.wg.Go(func() { o.pollAll(i, p) })
		} else {
			c := s.dial("EIO=4&transport=websocket")
			c.opens()
			x := s.app.session(t)
			shrink(t, x)
			o.xs = append(o.xs, x)
			o.wg.Go(func() { o.readAll(i, c, i%3 == 1) })
		}
	}
	var sending sync.WaitGroup
	for g := range senders {
		r := rand.New(rand.NewPCG(seed, uint64(g)))
		sending.Go(func() {
			for n := range each {
				o.send(r, g, n)
			}
		})
	}
	sending.Wait()
	for _, x := range o.xs {
		x.Send(msg("end"), 0, false)
	}
	o.wg.Wait()
}

type orderly struct {
	*testing.T
	xs   []*Session
	mu   sync.Mutex
	want [][4][]int // by client and sender: what was sent
	wg   sync.WaitGroup
}

// send sends the n-th message of sender g in some way to some of the clients.
func (o *orderly) send(r *rand.Rand, g, n int) {
	body := fmt.Sprintf("%d %d %s", g, n, strings.Repeat("x", r.IntN([]int{10, 100, 1000, 20000}[r.IntN(4)])))
	one := r.IntN(len(o.xs))
	x := o.xs[one]
	switch r.IntN(5) {
	case 0:
		o.note(g, n, one)
		x.Send(msg("%s", body), 0, false)
	case 1:
		o.note(g, n, one)
		x.SendFrames(protocol.Frames{Text: []byte(body)})
	case 2:
		o.note(g, n, one)
		x.SendStamped(0, func(uint64) *Message { return msg("%s", body) })
	default:
		m := msg("%s", body)
		except := r.IntN(2 * len(o.xs))
		byShard := make(map[*Shard][]Recipient)
		for i, y := range o.xs {
			if r.IntN(4) > 0 {
				byShard[y.shard] = append(byShard[y.shard], Recipient{Session: y})
				if i != except {
					o.note(g, n, i)
				}
			}
		}
		var ex *Session
		if except < len(o.xs) {
			ex = o.xs[except]
		}
		for sh, to := range byShard {
			sh.Post(Cast{Message: m, To: to, Except: ex})
		}
	}
}

func (o *orderly) note(g, n, client int) {
	o.mu.Lock()
	o.want[client][g] = append(o.want[client][g], n)
	o.mu.Unlock()
}

// took checks one message against what is due and reports the end.
func (o *orderly) took(client int, m string, next *[4]int) bool {
	if m == "4end" {
		o.mu.Lock()
		defer o.mu.Unlock()
		for g := range next {
			if next[g] != len(o.want[client][g]) {
				o.Errorf("client %d: %d messages of sender %d, want %d", client, next[g], g, len(o.want[client][g]))
			}
		}
		return true
	}
	f := strings.SplitN(m, " ", 3)
	g, err1 := strconv.Atoi(f[0][1:])
	n, err2 := strconv.Atoi(f[1])
	if err1 != nil || err2 != nil || strings.Trim(f[2], "x") != "" {
		o.Errorf("client %d: %.40q", client, m)
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if want := o.want[client][g]; next[g] >= len(want) || want[next[g]] != n {
		o.Errorf("client %d: message %d of sender %d out of order", client, n, g)
		return true
	}
	next[g]++
	return false
}

func (o *orderly) readAll(client int, c *wsClient, slowly bool) {
	var next [4]int
	for i := 0; ; i++ {
		if slowly && i%50 == 0 {
			<-time.After(time.Millisecond) // so that the server's buffer fills
		}
		m, err := c.next()
		if err != nil || m.Kind != wsframe.Text {
			o.Errorf("client %d: %v %v", client, m.Kind, err)
			return
		}
		if o.took(client, string(m.Data), &next) {
			return
		}
	}
}

func (o *orderly) pollAll(client int, p *polling) {
	var next [4]int
	for {
		a := p.do("GET", p.query, "")
		if a.status != 200 {
			o.Errorf("client %d: %d %s", client, a.status, a.body)
			return
		}
		for _, m := range split(a.body) {
			if o.took(client, m, &next) {
				return
			}
		}
	}
}

// sink is a session without a client, whose bytes go to a descriptor.
func sink(e *Engine, sh *Shard, fd int) *Session {
	s := &Session{engine: e, shard: sh, conn: &wsConn{fd: fd, wire: wireWS4}}
	s.life.websocket = true
	return s
}

// TestYield: in the middle of a long pass, messages for single sessions pass if
// the session has had its share, or has none; all others stay in line.
func TestYield(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, scattered := range map[string]bool{"one set": false, "several sets": true} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Config{Shards: 1}, newApp())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Shutdown(t.Context()) }()
			sh := e.shards[0]
			fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fds[0])
			defer syscall.Close(fds[1])
			to := make([]Recipient, 4500)
			for i := range to {
				to[i].Session = sink(e, sh, int(null.Fd()))
			}
			// The sessions that are watched share a descriptor, so that the order
			// of all their writes can be read from its other end.
			early, late, outside := to[10].Session, to[4400].Session, sink(e, sh, fds[0])
			early.conn.fd, late.conn.fd = fds[0], fds[0]
			release := hold(t, sh, to[0].Session)
			sh.Post(Cast{Message: msg("all "), To: to})
			if scattered {
				sh.Post(Cast{Message: msg("null "), To: to[:5]})
			}
			blocked := to[2500].Session
			blocked.mu.Lock()
			release()
			awaitBytes(t, fds[1], "all ")
			sh.Post(Cast{Message: msg("late "), Solo: Recipient{Session: late}})
			sh.Post(Cast{Message: msg("early "), Solo: Recipient{Session: early}})
			sh.Post(Cast{Message: msg("outside "), Solo: Recipient{Session: outside}})
			sh.Post(Cast{Message: msg("late again "), Solo: Recipient{Session: late}})
			sh.Post(Cast{Message: msg("all again "), To: recipients(early, late)})
			sh.Post(Cast{Message: msg("behind "), Solo: Recipient{Session: outside}})
			blocked.mu.Unlock()
			// outside's last message is written in the last pass, after early's
			// and late's shares or before them: by the order of the sets.
			awaitBytes(t, fds[1], "early outside all late late again all again all again behind ")
		})
	}
}

// awaitBytes reads frames of text until their payloads are want.
func awaitBytes(t *testing.T, fd int, want string) {
	t.Helper()
	got := ""
	b := make([]byte, 4096)
	for len(got) < len(want) {
		n, err := syscall.Read(fd, b)
		if err != nil || n == 0 {
			t.Fatal(err)
		}
		for f := b[:n]; len(f) > 0; f = f[2+int(f[1]):] {
			got += string(f[3 : 2+int(f[1])]) // without the "4"
		}
	}
	if got != want {
		t.Errorf("written in the order %q, want %q", got, want)
	}
}
