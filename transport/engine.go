package transport

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	mathrand "math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/internal/wheel"
	"github.com/siod-io/siod/protocol/engineio"
)

// Engine serves Engine.IO sessions as an http.Handler. All methods are safe
// for concurrent use.
type Engine struct {
	cfg          Config
	handler      Handler
	deflateAbove int
	polling, ws  bool
	shards       []*Shard
	wheel        *wheel.Wheel
	epoch        time.Time
	next         atomic.Uint32
	count        atomic.Int64
	closing      atomic.Bool
	stats        stats
	wg           sync.WaitGroup // connection readers, drains, close notices
	sessions     [sessionShards]sessionMap
	closeOnce    sync.Once
	allGone      chan struct{}
}

const sessionShards = 32

type sessionMap struct {
	mu sync.RWMutex
	m  map[string]*Session
}

// New returns an engine that hands its sessions to h. It starts one goroutine
// for each shard and one for the heartbeats; Shutdown ends them.
func New(cfg Config, h Handler) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	e := &Engine{cfg: cfg, handler: h, deflateAbove: cfg.PerMessageDeflate.Threshold, epoch: time.Now(), allGone: make(chan struct{})}
	for _, t := range cfg.Transports {
		e.polling = e.polling || t == Polling
		e.ws = e.ws || t == WebSocket
	}
	for i := range e.sessions {
		e.sessions[i].m = make(map[string]*Session)
	}
	n := cfg.Shards
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	e.wheel = wheel.New(wheelTick)
	for i := range n {
		sh := newShard(e, i)
		e.shards = append(e.shards, sh)
		go sh.run()
	}
	return e, nil
}

// wheelTick is how exact heartbeats and their expiry are (R4).
const wheelTick = 10 * time.Millisecond

// now is the time that life cycles see.
func (e *Engine) now() time.Duration { return time.Since(e.epoch) }

func (e *Engine) jitter(n int) int { return mathrand.IntN(n) }

// Shards returns the engine's shards; the slice must not be changed.
func (e *Engine) Shards() []*Shard { return e.shards }

// Path is the prefix of the engine's URLs.
func (e *Engine) Path() string { return e.cfg.Path }

// Len is the number of sessions.
func (e *Engine) Len() int { return int(e.count.Load()) }

// Session returns the session with the given id, or nil.
func (e *Engine) Session(id string) *Session {
	m := e.bucket(id)
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.m[id]
}

func (e *Engine) bucket(id string) *sessionMap {
	var h uint32
	if n := len(id); n >= 2 {
		h = uint32(id[n-1]) + uint32(id[n-2])*7
	}
	return &e.sessions[h%sessionShards]
}

// newID returns a session id: the node's token and 120 random bits.
func (e *Engine) newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return e.cfg.Token + base64.RawURLEncoding.EncodeToString(b[:])
}

// newSession makes a session that is not known to anybody yet.
func (e *Engine) newSession(r *http.Request, q *query) *Session {
	s := &Session{
		engine: e, shard: e.shards[int(e.next.Add(1))%len(e.shards)],
		id: e.newID(), rev: engineio.RevisionOf(q.eio), base64: q.base64, jsonp: q.jsonp != "",
		handshake: newHandshake(r, e.cfg.Path), policy: e.cfg.Queue.Policy, wire: wirePoll4,
	}
	if e.cfg.Principal != nil {
		s.handshake.Principal = e.cfg.Principal(r)
	}
	s.timer.Init(s)
	s.life.lingerExpiry = e.cfg.PollTimeout
	return s
}

// admit registers a session and starts its heartbeat. It reports false if the
// engine is full or closing.
func (e *Engine) admit(s *Session, websocket bool) bool {
	if n := e.count.Add(1); e.closing.Load() || e.cfg.MaxSessions > 0 && n > int64(e.cfg.MaxSessions) {
		e.uncount()
		return false
	}
	m := e.bucket(s.id)
	m.mu.Lock()
	m.m[s.id] = s
	m.mu.Unlock()
	i := 0
	if websocket {
		i = 1
	}
	e.stats.opened[i].Add(1)
	s.mu.Lock()
	s.life.start(s.rev, websocket, e.cfg.PingInterval, e.cfg.PingTimeout, e.now(), 0.9+mathrand.Float64()/10)
	s.arm()
	s.mu.Unlock()
	return true
}

// forget takes a session out of the table; s.mu is held.
func (e *Engine) forget(s *Session) {
	m := e.bucket(s.id)
	m.mu.Lock()
	_, known := m.m[s.id]
	delete(m.m, s.id)
	m.mu.Unlock()
	if known {
		e.uncount()
	}
}

func (e *Engine) uncount() {
	if e.count.Add(-1) == 0 && e.closing.Load() {
		e.closeOnce.Do(func() { close(e.allGone) })
	}
}

// sessionEnded tells the handler; s.mu is held, so it is told from elsewhere.
func (e *Engine) sessionEnded(s *Session, r Reason) {
	e.stats.closed[r.index()].Add(1)
	e.wg.Go(func() { e.handler.Close(s, r) })
}

// open announces a session to the handler.
func (e *Engine) open(s *Session) error { return e.handler.Open(s) }

// ServeHTTP serves one request of a client: a handshake, a poll, a POST, or
// the upgrade to WebSocket. Requests outside of the engine's path get 404.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, e.cfg.Path) {
		http.NotFound(w, r)
		return
	}
	if e.cfg.CORS.preflight(w, r) {
		return
	}
	q := parseQuery(r.URL.RawQuery)
	s, err := e.verify(r, &q)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	switch {
	case q.transport == WebSocket && s == nil:
		e.handshakeWebSocket(w, r, &q)
	case q.transport == WebSocket:
		e.upgradeWebSocket(w, r, s)
	case s == nil:
		e.handshakePolling(w, r, &q)
	case r.Method == http.MethodGet:
		e.servePoll(w, r, s, &q)
	case r.Method == http.MethodPost:
		e.servePost(w, r, s, &q)
	default:
		e.refuse(w, r, &RequestError{Code: CodeBadMethod, Status: http.StatusMethodNotAllowed, Context: r.Method})
	}
}

// Shutdown closes all sessions with ReasonServerShutdown and waits for them,
// their goroutines and the writers to end, or for ctx; then connections are
// cut. New handshakes are refused with 503 from the first moment.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.closing.Store(true)
	for _, s := range e.snapshot() {
		s.Close(ReasonServerShutdown)
	}
	if e.count.Load() == 0 {
		e.closeOnce.Do(func() { close(e.allGone) })
	}
	err := e.await(ctx)
	if err != nil {
		for _, s := range e.snapshot() {
			s.Abort(ReasonServerShutdown)
			s.cutConnection()
		}
	}
	for _, sh := range e.shards {
		sh.close()
		<-sh.done
	}
	e.wg.Wait()
	e.wheel.Close()
	return err
}

func (e *Engine) await(ctx context.Context) error {
	select {
	case <-e.allGone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) snapshot() []*Session {
	var all []*Session
	for i := range e.sessions {
		m := &e.sessions[i]
		m.mu.RLock()
		for _, s := range m.m {
			all = append(all, s)
		}
		m.mu.RUnlock()
	}
	return all
}
