package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
)

// sessions is the store of journals and owners, a stream. It implements
// backplane.Sessions.
type sessions struct {
	b       *Backplane
	cfg     SessionConfig
	stream  string
	js      jetstream.JetStream
	journal *journal
	owners  owners

	written chan struct{} // capacity 1: the writer has something to do
	look    chan struct{} // capacity 1: the stream may have changed

	mu      sync.Mutex
	created time.Time // of the stream
	known   uint64    // its last sequence, as far as this node knows
	lower   time.Time // since when its leader said less
	life    uint64    // how often it lost records
	floor   uint64    // what was stored up to here does not count
	watches map[*ownerWatch]struct{}

	stats sessionCounters
}

const (
	// sessionTimeout bounds what waits for the store if its caller does not.
	sessionTimeout = 20 * time.Second

	// believeAfter is how long the leader has to say that the stream lost its
	// end. One that is a leader no more may say so for some time (V3).
	believeAfter = 25 * time.Second
)

// sessionCounters are what SessionStats reads.
type sessionCounters struct {
	records, messages, bytes, moved atomic.Uint64
	failed, malformed, forgotten    atomic.Uint64
}

// SessionStats are figures of the session store on this node, since Connect.
type SessionStats struct {
	Sessions  int    // in the journal of this node
	Waiting   int    // Record calls that wait
	Records   uint64 // stored, those of unchanged sessions included
	Moved     uint64 // of these: stored again since they would have expired
	Messages  uint64 // that held them
	Bytes     uint64 // of these
	Failed    uint64 // publications refused or unanswered
	Malformed uint64 // messages of the store that could not be read
	Forgotten uint64 // times that the store lost its records
}

// SessionStats returns a snapshot, of zeros if there is no store.
func (b *Backplane) SessionStats() SessionStats {
	s := b.sessions.Load()
	if s == nil {
		return SessionStats{}
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return SessionStats{
		Sessions:  len(s.journal.sessions),
		Waiting:   s.journal.waiting,
		Records:   s.stats.records.Load(),
		Moved:     s.stats.moved.Load(),
		Messages:  s.stats.messages.Load(),
		Bytes:     s.stats.bytes.Load(),
		Failed:    s.stats.failed.Load(),
		Malformed: s.stats.malformed.Load(),
		Forgotten: s.stats.forgotten.Load(),
	}
}

// Sessions implements backplane.Journaled.
func (b *Backplane) Sessions() backplane.Sessions {
	if s := b.sessions.Load(); s != nil {
		return s
	}
	return nil
}

// startSessions has the stream be there and starts what writes the journal.
func (b *Backplane) startSessions(ctx context.Context) error {
	if b.cfg.Sessions == nil {
		return nil
	}
	cfg := b.cfg.Sessions.withDefaults()
	js, err := jetstream.New(b.log.nc)
	if err != nil {
		return fmt.Errorf("natsio: JetStream: %w", err)
	}
	if err := provision(ctx, js, SessionStream(b.space, cfg), cfg.Existing); err != nil {
		return err
	}
	cfg.BatchBytes = min(cfg.BatchBytes, int(b.log.maxPayload.Load()/2))
	s := &sessions{
		b:       b,
		cfg:     cfg,
		stream:  b.space.SessionStream(),
		js:      js,
		journal: newJournal(b.id, cfg, time.Now()),
		written: make(chan struct{}, 1),
		look:    make(chan struct{}, 1),
		watches: make(map[*ownerWatch]struct{}),
	}
	s.owners.init()
	for {
		info, err := s.info(ctx)
		if err == nil && info.leader {
			s.created, s.known = info.created, info.last
			break
		}
		if err := s.pause(ctx, err); err != nil {
			return err
		}
	}
	b.sessions.Store(s)
	b.wg.Go(s.write)
	b.wg.Go(s.guard)
	return nil
}

// sessionsBack runs when the connection of the store stands again.
func (b *Backplane) sessionsBack() {
	if s := b.sessions.Load(); s != nil {
		nudge(s.written)
		nudge(s.look)
		s.eachWatch(func(w *ownerWatch) { nudge(w.again) })
	}
}

// sessionsSlow runs when what the store gave out of owners was dropped.
func (b *Backplane) sessionsSlow() {
	if s := b.sessions.Load(); s != nil {
		s.eachWatch(func(w *ownerWatch) { nudge(w.again) })
	}
}

// nudge wakes the reader of a channel of capacity 1.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// bound returns a context that ends with the backplane too, and not too late.
func (s *sessions) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	stop := context.AfterFunc(s.b.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// ended returns why there is no point in another try, nil if there is.
func (s *sessions) ended(ctx context.Context, last error) error {
	switch {
	case s.b.isClosed():
		return backplane.ErrClosed
	case ctx.Err() != nil && last != nil:
		return fmt.Errorf("natsio: session store: %w (last answer: %w)", ctx.Err(), last)
	}
	return ctx.Err()
}

// pause waits before another try. It returns an error if there is no point in
// one.
func (s *sessions) pause(ctx context.Context, last error) error {
	select {
	case <-time.After(retryAfter):
	case <-s.b.closed:
	case <-ctx.Done():
	}
	return s.ended(ctx, last)
}

// put publishes to the stream, once, and returns the sequence it was stored at.
// stored reports whether it may have been although there is an error.
func (s *sessions) put(ctx context.Context, m *nats.Msg) (seq uint64, duplicate, stored bool, err error) {
	if !s.b.log.up.Load() {
		return 0, false, false, backplane.ErrDisconnected
	}
	once, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	m.Header["Nats-Expected-Stream"] = []string{s.stream}
	s.mu.Lock()
	known, life := s.known, s.life
	s.mu.Unlock()
	reply, err := s.b.log.nc.RequestMsgWithContext(once, m)
	if err != nil {
		s.stats.failed.Add(1)
		sent := !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, nats.ErrReconnectBufExceeded) && !errors.Is(err, nats.ErrConnectionClosed)
		return 0, false, sent, err
	}
	if seq, duplicate, err = readAck(reply); err != nil {
		s.stats.failed.Add(1)
		api, refused := errors.AsType[*jetstream.APIError](err)
		return 0, false, !refused && !errors.Is(err, nats.ErrNoResponders) || refused && api.Code >= 500, err
	}
	s.mu.Lock()
	back := !duplicate && seq <= known && life == s.life
	s.known = max(s.known, seq)
	s.mu.Unlock()
	if back { // something new has a number that something else had
		s.forget(life, time.Time{}, seq-1)
	}
	return seq, duplicate, true, nil
}

// streamInfo is what the leader says about the stream.
type streamInfo struct {
	created time.Time
	last    uint64
	leader  bool // it names one
}

func (s *sessions) info(ctx context.Context) (streamInfo, error) {
	once, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m, err := s.b.log.nc.RequestWithContext(once, "$JS.API.STREAM.INFO."+s.stream, nil)
	if err != nil {
		return streamInfo{}, err
	}
	var resp struct {
		jetstream.StreamInfo
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &resp); err != nil {
		return streamInfo{}, err
	}
	if resp.Error != nil {
		return streamInfo{}, resp.Error
	}
	return streamInfo{resp.Created, resp.State.LastSeq, resp.Cluster == nil || resp.Cluster.Leader != ""}, nil
}
