package badinput

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

const (
	engine  = "/socket.io/?EIO=4"
	socket  = engine + "&transport=websocket"
	polling = engine + "&transport=polling"

	limit = 1000000 // bytes of a message, the default
)

// group is a server and the rows that attack it.
type group struct {
	t *testing.T
	s *target.Server
}

// serve starts the echo application with short limits on everything that a row
// waits for.
func serve(t *testing.T, flags ...string) *group {
	t.Helper()
	return &group{t: t, s: target.Start(t, append([]string{app, "echo"}, flags...)...)}
}

// row runs one attack and then checks what must hold around every attack.
func (g *group) row(name string, attack func(t *testing.T, s *target.Server)) {
	g.t.Run(name, func(t *testing.T) {
		before := g.s.Metrics(t)
		b := watch(t, g.s.Addr)
		t.Run("attack", func(t *testing.T) { attack(t, g.s) })
		b.stop()
		g.s.Alive(t)
		g.s.Eventually(t, "goroutines and descriptors are back to what they were", func(now target.Metrics) bool {
			return now.Goroutines() <= before.Goroutines()+4 && now.Descriptors() <= before.Descriptors()+4
		})
	})
}

// bystander is an honest client in another session.
type bystander struct {
	t    *testing.T
	ws   *wire.WS
	quit chan struct{}
	wg   sync.WaitGroup
	done int
	slow time.Duration
	err  error
}

// patient is how long an honest client may have to wait while another one
// attacks, on a machine that does other things as well.
const patient = 3 * time.Second

func watch(t *testing.T, addr string) *bystander {
	t.Helper()
	b := &bystander{t: t, ws: connect(t, addr), quit: make(chan struct{})}
	b.wg.Go(b.run)
	return b
}

// run makes a round trip every few milliseconds.
func (b *bystander) run() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-b.quit:
			return
		case <-tick.C:
		}
		start := time.Now()
		if b.err = b.echo(n); b.err != nil {
			return
		}
		b.slow = max(b.slow, time.Since(start))
		b.done++
	}
}

func (b *bystander) echo(n int) error {
	ask := fmt.Sprintf(`42%d["echo",%d]`, n, n)
	if err := b.ws.TryFrame(wire.Frame{Op: wire.OpText, Payload: []byte(ask)}); err != nil {
		return err
	}
	want := fmt.Sprintf("43%d[%d]", n, n)
	for {
		f, err := b.ws.Read()
		switch {
		case err != nil:
			return err
		case f.Op == wire.OpClose:
			return fmt.Errorf("closed with % x", f.Payload)
		case f.Op == wire.OpText && string(f.Payload) == "2":
			if err := b.ws.TryFrame(wire.Frame{Op: wire.OpText, Payload: []byte("3")}); err != nil {
				return err
			}
		case f.Op == wire.OpText && string(f.Payload) == want:
			return nil
		default:
			return fmt.Errorf("got %.200q, want %q", f.Payload, want)
		}
	}
}

// stop checks that the bystander noticed nothing.
func (b *bystander) stop() {
	b.t.Helper()
	close(b.quit)
	b.wg.Wait()
	switch {
	case b.err != nil:
		b.t.Errorf("a client in another session noticed: after %d answers: %v", b.done, b.err)
	case b.done == 0 && b.slow == 0:
		// The attack was over before its first round trip; make one now.
		if err := b.echo(-1 + 1<<20); err != nil {
			b.t.Errorf("a client in another session noticed: %v", err)
		}
	case b.slow > patient:
		b.t.Errorf("a client in another session waited %v for an answer", b.slow)
	}
	b.ws.Close()
}

// open is a WebSocket session that has read its open packet and joined nothing.
func open(t *testing.T, addr string) *wire.WS {
	t.Helper()
	ws := wire.Dial(t, addr, socket)
	ws.ExpectPrefix("0{")
	return ws
}

// connect is a WebSocket session in the main namespace.
func connect(t *testing.T, addr string) *wire.WS {
	t.Helper()
	ws := open(t, addr)
	ws.Text("40")
	ws.ExpectPrefix("40{")
	return ws
}

// answers checks that a session still works.
func answers(t *testing.T, ws *wire.WS) {
	t.Helper()
	ws.Text(`4217["echo","still here"]`)
	ws.Expect(`4317["still here"]`)
}

// ends sends packets to a fresh session in the main namespace and checks that
// the server ends it, with one of the codes, and without any answer before.
func ends(t *testing.T, addr string, codes []int, packets ...wire.Frame) {
	t.Helper()
	ws := connect(t, addr)
	for _, p := range packets {
		if err := ws.TryFrame(p); err != nil {
			break // already ended
		}
	}
	wantEnd(t, ws, codes...)
}

// ended is what a session may end with after a packet that no honest client
// sends: a close frame without a code, as the reference server has it.
var ended = []int{wire.NoStatus}

func wantEnd(t *testing.T, ws *wire.WS, codes ...int) wire.Ending {
	t.Helper()
	e := ws.Closed()
	ok := false
	for _, c := range codes {
		ok = ok || e.Code == c
	}
	if !ok {
		t.Errorf("ended with %d %q, want one of %v", e.Code, e.Reason, codes)
	}
	for _, f := range e.Before {
		t.Errorf("answered %.200q before the end", f.Payload)
	}
	ws.Close()
	return e
}

func text(s string) wire.Frame      { return wire.Frame{Op: wire.OpText, Payload: []byte(s)} }
func binary(b ...byte) wire.Frame   { return wire.Frame{Op: wire.OpBinary, Payload: b} }
func bulk(n int, b byte) wire.Frame { return wire.Frame{Op: wire.OpBinary, Payload: fill(n, b)} }

func fill(n int, b byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = b
	}
	return p
}

// session is a polling session.
type session struct {
	t    *testing.T
	addr string
	sid  string
	url  string
}

func openPolling(t *testing.T, addr string) session {
	t.Helper()
	return openPollingAt(t, addr, polling)
}

func openPollingAt(t *testing.T, addr, url string) session {
	t.Helper()
	r := wire.Get(t, addr, url)
	if r.Status != 200 {
		t.Fatalf("handshake answered %d %q", r.Status, r.Body)
	}
	return session{t: t, addr: addr, sid: sidOf(t, r.Body), url: url + "&sid=" + sidOf(t, r.Body)}
}

// sidOf takes the session id out of an open packet of either revision.
func sidOf(t *testing.T, body string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, `"sid":"`)
	sid, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 || sid == "" {
		t.Fatalf("no session id in %q", body)
	}
	return sid
}

func (p session) post(body string) wire.Response {
	p.t.Helper()
	return wire.Post(p.t, p.addr, p.url, body)
}
func (p session) get() wire.Response { p.t.Helper(); return wire.Get(p.t, p.addr, p.url) }

// join connects to the main namespace.
func (p session) join() session {
	p.t.Helper()
	p.taken("40")
	if r := p.get(); r.Status != 200 || !strings.HasPrefix(r.Body, "40{") {
		p.t.Fatalf("CONNECT answered %d %q", r.Status, r.Body)
	}
	return p
}

// taken posts what the server must take.
func (p session) taken(body string) {
	p.t.Helper()
	if r := p.post(body); r.Status != 200 || r.Body != "ok" {
		p.t.Fatalf("POST answered %d %q, want 200 ok", r.Status, r.Body)
	}
}

// answers checks that the session still works.
func (p session) answers() {
	p.t.Helper()
	p.taken(`4217["echo","still here"]`)
	if r := p.get(); r.Status != 200 || r.Body != `4317["still here"]` {
		p.t.Fatalf("poll answered %d %q", r.Status, r.Body)
	}
}

// gone checks that the session has ended.
func (p session) gone() {
	p.t.Helper()
	wantCode(p.t, p.get(), 400, 1)
}

// wantCode checks the answer to a refused request: status and Engine.IO code.
func wantCode(t *testing.T, r wire.Response, status, code int) {
	t.Helper()
	var body struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	}
	err := json.Unmarshal([]byte(r.Body), &body)
	if err == nil && body.Code == nil {
		err = errors.New("no code")
	}
	if r.Status != status || err != nil || *body.Code != code || body.Message == "" {
		t.Errorf("answered %d %.300q, want %d with code %d", r.Status, r.Body, status, code)
	}
}

func wantStatus(t *testing.T, r wire.Response, want ...int) {
	t.Helper()
	for _, w := range want {
		if r.Status == w {
			return
		}
	}
	t.Errorf("answered %d %.300q, want %v", r.Status, r.Body, want)
}

// oneLine checks how the program refused its arguments: the exit code, and one
// line that names the culprit.
func oneLine(t *testing.T, r target.Result, code int, culprit string) {
	t.Helper()
	said := strings.TrimSpace(r.Stderr)
	if r.Code != code || said == "" || strings.Contains(said, "\n") || !strings.Contains(said, culprit) {
		t.Errorf("exit code %d, said %q; want code %d and one line that names %s", r.Code, r.Stderr, code, culprit)
	}
}

// within fails when the server took longer than it may.
func within(t *testing.T, most time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > most {
		t.Errorf("%s took %v, want at most %v", what, took, most)
	}
}

// grows checks that the server's resident memory does not grow beyond a bound
// while f runs.
func grows(t *testing.T, s *target.Server, most int64, f func()) {
	t.Helper()
	if target.Race {
		most *= 8 // shadow memory, as the Go documentation has it: 5 to 10 times
	}
	before := s.RSS(t)
	peak, quit := before, make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				peak = max(peak, s.RSS(t))
			}
		}
	})
	f()
	close(quit)
	wg.Wait()
	if peak = max(peak, s.RSS(t)); peak-before > most {
		t.Errorf("resident memory grew by %s, want at most %s", megabytes(peak-before), megabytes(most))
	}
}

func megabytes(n int64) string { return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MB" }
