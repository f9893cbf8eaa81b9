package transport

import (
	"crypto/rand"
	"encoding/base64"
	"iter"
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
	timing       timing
	deflateAbove int
	polling, ws  bool
	shards       []*Shard
	wheel        *wheel.Wheel
	handshakes   *addressLimiter // nil: no limit
	epoch        time.Time
	next         atomic.Uint32
	stats        stats
	panicLog     atomic.Int64 // engine time from which on a panic is logged
	sessions     [sessionBuckets]sessionBucket

	count   atomic.Int64   // sessions, of which the last may be about to open
	closing atomic.Bool    // Shutdown was called
	cutting atomic.Bool    // and waits no longer
	held    atomic.Int64   // sessions and handshakes: what may start goroutines
	allGone chan struct{}  // closed when closing and nothing is held
	goneOne sync.Once      // closes allGone
	wg      sync.WaitGroup // readers, drains, notices of the end

	lingerMu  sync.Mutex
	lingering map[*wsConn]*Session // connections in a close handshake
}

const sessionBuckets = 32

type sessionBucket struct {
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
	e := &Engine{
		cfg: cfg, handler: h, deflateAbove: cfg.PerMessageDeflate.Threshold,
		timing:  timing{interval: cfg.PingInterval, timeout: cfg.PingTimeout, linger: cfg.PollTimeout},
		epoch:   time.Now(),
		wheel:   wheel.New(wheelTick),
		allGone: make(chan struct{}), lingering: make(map[*wsConn]*Session),
		handshakes: newAddressLimiter(cfg.Handshakes),
	}
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
	for i := range n {
		sh := newShard(e, i, cfg.Inbox)
		e.shards = append(e.shards, sh)
		go sh.run()
	}
	return e, nil
}

// wheelTick is how exact heartbeats and their expiry are (R4).
const wheelTick = 10 * time.Millisecond

// now is the time that life cycles see.
func (e *Engine) now() time.Duration { return time.Since(e.epoch) }

// Shards returns the engine's shards; the slice must not be changed.
func (e *Engine) Shards() []*Shard { return e.shards }

// Path is the prefix of the engine's URLs.
func (e *Engine) Path() string { return e.cfg.Path }

// Len is the number of sessions.
func (e *Engine) Len() int { return int(e.count.Load()) }

// Session returns the session with the given id, or nil.
func (e *Engine) Session(id string) *Session {
	b := e.bucket(id)
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.m[id]
}

// All yields the sessions that are open now, in no order. Sessions that come
// or go meanwhile may be among them or not.
func (e *Engine) All() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for i := range e.sessions {
			for _, s := range e.sessions[i].snapshot() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func (b *sessionBucket) snapshot() []*Session {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]*Session, 0, len(b.m))
	for _, s := range b.m {
		all = append(all, s)
	}
	return all
}

func (e *Engine) bucket(id string) *sessionBucket {
	var h uint32
	if n := len(id); n >= 2 {
		h = uint32(id[n-1]) + uint32(id[n-2])*7
	}
	return &e.sessions[h%sessionBuckets]
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
		handshake: e.newHandshake(r), dropOldest: e.cfg.Queue.Policy == PolicyDropOldest,
		limit: newLimiter(e.cfg.Events),
	}
	s.timer.Init((*heartbeatTimer)(s))
	return s
}

// reserve counts a session that is about to open. It reports false if there
// are as many as there may be.
func (e *Engine) reserve() bool {
	if n := e.count.Add(1); e.cfg.MaxSessions > 0 && n > int64(e.cfg.MaxSessions) {
		e.count.Add(-1)
		return false
	}
	return true
}

// register makes a reserved session known and starts its heartbeat. A
// WebSocket of its own is s.conn already. The caller has hold.
func (e *Engine) register(s *Session) {
	websocket := s.conn != nil
	i := 0
	if websocket {
		i = 1
	}
	e.stats.opened[i].Add(1)
	e.held.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life.start(s.rev, websocket, &e.timing, e.now(), 0.9+mathrand.Float64()/10)
	s.arm()
	b := e.bucket(s.id)
	b.mu.Lock()
	b.m[s.id] = s
	b.mu.Unlock()
	switch { // Shutdown may have looked before it was there
	case e.cutting.Load():
		s.cutLocked()
	case e.closing.Load():
		s.stepLocked(evClose, ReasonServerShutdown)
	}
}

// forget takes a session out of the table; s.mu is held.
func (e *Engine) forget(s *Session) {
	b := e.bucket(s.id)
	b.mu.Lock()
	_, known := b.m[s.id]
	delete(b.m, s.id)
	b.mu.Unlock()
	if known {
		e.count.Add(-1)
		e.release()
	}
}

// sessionEnded tells the handler; s.mu is held, so it is told from elsewhere.
func (e *Engine) sessionEnded(s *Session, r Reason) {
	e.wg.Go(func() {
		defer s.survive()
		e.handler.Close(s, r)
	})
}

// ServeHTTP serves one request of a client: a handshake, a poll, a POST, or
// the upgrade to WebSocket. Requests outside of the engine's path get 404. It
// returns when the request is answered, for a poll after up to PingInterval
// plus PingTimeout; a WebSocket lives on in a goroutine of the engine.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, e.cfg.Path) {
		http.NotFound(w, r)
		return
	}
	e.guardBody(w, r)
	if r.Method == http.MethodOptions && e.cfg.CORS.configured() {
		e.responseHeaders(w.Header(), r)
		e.cfg.CORS.preflight(w.Header(), r)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	q := parseQuery(r.URL.RawQuery)
	s, err := e.verify(r, &q)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	switch {
	case q.home != "":
		e.serveForeign(w, r, &q)
	case s == nil || q.transport == WebSocket:
		if !e.hold() {
			e.refuse(w, r, errFull("shutting down"))
			return
		}
		defer e.release()
		switch {
		case s != nil:
			e.upgradeWebSocket(w, r, s, &q)
		case q.transport == WebSocket:
			e.handshakeWebSocket(w, r, &q)
		default:
			e.handshakePolling(w, r, &q)
		}
	case r.Method == http.MethodGet:
		e.servePoll(w, r, s, &q)
	case r.Method == http.MethodPost:
		e.servePost(w, r, s, &q)
	default:
		e.badMethod(w, r)
	}
}

func (e *Engine) badMethod(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, POST")
	e.refuse(w, r, &RequestError{Code: CodeBadMethod, Status: http.StatusMethodNotAllowed, Context: clip(r.Method)})
}
