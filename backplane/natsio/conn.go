package natsio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// link is one connection and what is known of it. Its state is kept here since
// the client holds its lock while it dials, so that asking it could wait.
type link struct {
	nc   *nats.Conn
	name string // "live" or "log"
	log  *slog.Logger

	up         atomic.Bool
	ending     atomic.Bool // it is closed on purpose
	maxPayload atomic.Int64
	reconnects atomic.Uint64

	// Set before dial, called on the goroutine of the client's events, in
	// their order.
	onDown   func()
	beforeUp func()                   // the connection stands again, and nobody uses it yet
	onUp     func()                   // after that
	onSlow   func(*nats.Subscription) // its channel was full: messages were dropped

	mu   sync.Mutex
	down chan struct{} // closed while the connection is down
}

// Pings that find a peer which vanished without a word: 2 s apart, two of them
// unanswered.
const (
	pingInterval = 2 * time.Second
	pingsOut     = 2
)

// dial connects. Nothing is buffered while the connection is down, since what
// was given up must not be sent after all.
func (l *link) dial(ctx context.Context, cfg Config, extra ...nats.Option) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timeout := cfg.Timeout
	if d, ok := ctx.Deadline(); ok {
		timeout = min(timeout, max(time.Until(d), time.Millisecond))
	}
	options := append(cfg.Options[:len(cfg.Options):len(cfg.Options)],
		nats.Name("siod "+l.name+" "+cfg.ID),
		nats.CustomInboxPrefix(subject.Inbox(cfg.ID)),
		nats.RetryOnFailedConnect(false),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(cfg.ReconnectWait),
		nats.ReconnectJitter(cfg.ReconnectWait/2, cfg.ReconnectWait/2),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(pingsOut),
		nats.Timeout(timeout),
		nats.FlusherTimeout(cfg.Timeout),
		nats.ReconnectOnFlusherError(),
		nats.SkipSubjectValidation(), // package subject makes valid ones only
		nats.DisconnectErrHandler(l.disconnected),
		nats.ReconnectHandler(l.reconnected),
		nats.ClosedHandler(func(*nats.Conn) { l.setUp(false) }),
		nats.ErrorHandler(l.failed),
	)
	if cfg.InProcess != nil {
		options = append(options, nats.InProcessServer(cfg.InProcess))
	}
	l.down = make(chan struct{})
	l.up.Store(true)
	nc, err := nats.Connect(cfg.URL, append(options, extra...)...)
	if err != nil {
		return fmt.Errorf("natsio: connect %s: %w", l.name, err)
	}
	l.nc = nc
	l.maxPayload.Store(nc.MaxPayload())
	return nil
}

func (l *link) disconnected(_ *nats.Conn, err error) {
	l.setUp(false)
	if l.ending.Load() {
		return
	}
	l.log.Warn("connection to NATS lost", "connection", l.name, "err", err)
	if l.onDown != nil {
		l.onDown()
	}
}

func (l *link) reconnected(nc *nats.Conn) {
	l.maxPayload.Store(nc.MaxPayload())
	l.reconnects.Add(1)
	if l.beforeUp != nil {
		l.beforeUp()
	}
	l.setUp(true)
	l.log.Info("connected to NATS again", "connection", l.name, "server", nc.ConnectedServerName())
	if l.onUp != nil {
		l.onUp()
	}
}

func (l *link) failed(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		if l.onSlow != nil {
			l.onSlow(sub)
		}
		return // every subscription of a full channel says so; the owner tells
	}
	l.log.Warn("NATS reports an error", "connection", l.name, "err", err)
}

func (l *link) setUp(up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up.Swap(up) == up {
		return
	}
	if up {
		l.down = make(chan struct{})
	} else {
		close(l.down)
	}
}

// whenDown returns a channel that is closed when, or if, the connection is down.
func (l *link) whenDown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// publish hands data over to the client, which copies it.
//
// Errors: backplane.ErrDisconnected, backplane.ErrClosed, *backplane.LimitError;
// nothing was sent.
func (l *link) publish(to, reply string, data []byte) error {
	if !l.up.Load() {
		return backplane.ErrDisconnected
	}
	if most := int(l.maxPayload.Load()); len(data) > most {
		return &backplane.LimitError{Limit: "Payload", Max: most, Got: len(data)}
	}
	var err error
	if reply == "" {
		err = l.nc.Publish(to, data)
	} else {
		err = l.nc.PublishRequest(to, reply, data)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return backplane.ErrClosed
	case errors.Is(err, nats.ErrMaxPayload): // a server that takes less, of which we do not know yet
		return &backplane.LimitError{Limit: "Payload", Max: int(l.nc.MaxPayload()), Got: len(data)}
	}
	return fmt.Errorf("%w: %w", backplane.ErrDisconnected, err)
}

// flush returns when the server handled what was sent.
func (l *link) flush(ctx context.Context) error {
	if !l.up.Load() {
		return backplane.ErrDisconnected
	}
	return l.nc.FlushWithContext(ctx)
}

// close flushes what was published, if there is a server to take it, and ends
// the connection.
func (l *link) close(timeout time.Duration) {
	l.ending.Store(true)
	if l.nc == nil {
		return
	}
	if l.up.Load() {
		_ = l.nc.FlushTimeout(timeout) // what it says is too late to matter
	}
	l.nc.Close()
}
