package natsio

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// Backplane is a node's place in a cluster on NATS. It implements
// backplane.Backplane and the interfaces Logged, Occupancy, Solitary and Limited there.
type Backplane struct {
	cfg    Config
	id     string
	space  subject.Space
	logger *slog.Logger

	live *link // NoEcho: fast class, requests, replies, beats, digests
	log  *link // feeds, appends, journal, and the canary's way out

	inbox   string         // prefix of the subjects of replies, with a dot at its end
	in      chan *nats.Msg // everything on live but replies
	inflow  inflow         // the same, waiting for the receiver
	answers chan *nats.Msg // replies
	poke    chan struct{}  // capacity 1: the receiver has something to tell

	out    outbox   // what is published
	reg    registry // what is subscribed
	calls  calls    // what waits for replies
	syncs  syncs    // barriers
	peers  peers    // who was heard
	rooms  occupancy
	health canaries

	nonce string       // in ids of appends: nobody else's is taken for one of them
	seed  maphash.Seed // of senders' names in counts
	since time.Time    // when it connected
	vague atomic.Bool  // messages may be missing, nobody knows which
	alone atomic.Bool
	heard atomic.Int64 // when anybody else was, by now
	stats counters

	sessions atomic.Pointer[sessions] // nil: none

	logs    []*eventLog
	logged  []backplane.Log // the same
	started atomic.Bool     // logs will not change any more
	life    context.Context // ends with closed
	endLife context.CancelFunc

	closing  sync.Once
	closed   chan struct{} // closed when Close begins
	released chan struct{} // closed when nothing of it runs any more
	wg       sync.WaitGroup
}

var (
	_ backplane.Backplane = (*Backplane)(nil)
	_ backplane.Logged    = (*Backplane)(nil)
	_ backplane.Solitary  = (*Backplane)(nil)
	_ backplane.Limited   = (*Backplane)(nil)
	_ backplane.Journaled = (*Backplane)(nil)
	_ backplane.Occupancy = (*Backplane)(nil)
)

// Connect joins the cluster. It returns when both connections stand and this
// node's own subjects are subscribed; ctx bounds that.
//
// Errors: [ErrConfig], wrapped; those of NATS; that of ctx.
func Connect(ctx context.Context, cfg Config) (*Backplane, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	space, err := subject.New(cfg.Cluster)
	if err != nil {
		return nil, err
	}
	b := &Backplane{
		cfg:      cfg,
		id:       cfg.ID,
		space:    space,
		logger:   cfg.Logger,
		inbox:    subject.Inbox(cfg.ID) + ".",
		in:       make(chan *nats.Msg, inChannel),
		answers:  make(chan *nats.Msg, cfg.Replies),
		poke:     make(chan struct{}, 1),
		nonce:    rand.Text()[:10],
		seed:     maphash.MakeSeed(),
		since:    time.Now(),
		closed:   make(chan struct{}),
		released: make(chan struct{}),
	}
	b.life, b.endLife = context.WithCancel(context.Background())
	b.inflow.init(cfg.Queue, cfg.QueueBytes)
	b.out.init(cfg.Counters)
	b.reg.init()
	b.calls.init()
	b.syncs.init(b)
	b.peers.init()
	b.rooms.init()
	b.health.init()
	b.live = &link{
		name: "live", log: b.logger,
		onDown: b.reg.offline, beforeUp: b.online, onUp: b.cameBack, onSlow: b.tooSlow,
	}
	b.log = &link{name: "log", log: b.logger, onDown: b.logsDown, onUp: b.logsBack, onSlow: b.logsSlow}
	if err := b.open(ctx); err != nil {
		b.abandon()
		return nil, err
	}
	return b, nil
}

// open connects, subscribes what every node does, and starts the goroutines.
func (b *Backplane) open(ctx context.Context) error {
	if err := b.live.dial(ctx, b.cfg, nats.NoEcho()); err != nil {
		return err
	}
	if err := b.log.dial(ctx, b.cfg); err != nil {
		return err
	}
	for _, c := range []struct {
		subject string
		take    func(*nats.Msg)
	}{
		{b.space.Beats(), b.takeBeat},
		{b.space.Digests(), b.takeDigest},
		{b.space.Canary(b.id), b.takeCanary},
		{syncSubject(b.id), b.takeSync},
		{askSubject(b.id), b.takeAsk},
	} {
		if err := b.reg.control(b, c.subject, c.take); err != nil {
			return err
		}
	}
	if _, err := b.live.nc.ChanSubscribe(b.inbox+"r.*", b.answers); err != nil {
		return err
	}
	if err := b.live.nc.FlushWithContext(ctx); err != nil {
		return err
	}
	b.beat() // before anything else, so that whoever hears of this node knows it
	b.wg.Go(b.pump)
	b.wg.Go(b.receive)
	b.wg.Go(b.receiveReplies)
	b.wg.Go(b.tick)
	if err := b.startLogs(ctx); err != nil {
		return err
	}
	return b.startSessions(ctx)
}

// abandon undoes what open did before it failed.
func (b *Backplane) abandon() {
	b.closing.Do(func() {
		close(b.closed)
		b.endLife()
		b.live.close(b.cfg.Timeout)
		b.log.close(b.cfg.Timeout)
		b.wg.Wait()
		close(b.released)
	})
}

// ID implements backplane.Backplane.
func (b *Backplane) ID() string { return b.id }

// isClosed reports whether Close began.
func (b *Backplane) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// closeFlush bounds the wait for a server that does not take what is left.
const closeFlush = time.Second

// Close implements backplane.Backplane. The others are told at once that this
// node is gone.
func (b *Backplane) Close(ctx context.Context) error {
	b.closing.Do(func() {
		close(b.closed)
		b.endLife()
		b.reg.close()
		b.calls.close()
		go func() {
			defer close(b.released)
			b.sayBye()
			b.wg.Wait()
			b.live.close(closeFlush)
			b.log.close(closeFlush)
		}()
	})
	select {
	case <-b.released:
		return nil
	default:
	}
	select {
	case <-b.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cameBack runs when the live connection stands again.
func (b *Backplane) cameBack() {
	b.beat()
	b.doubt()
}

// tooSlow runs when messages were dropped since their channel was full.
func (b *Backplane) tooSlow(*nats.Subscription) {
	b.stats.slow.Add(1)
	b.doubt()
}

// doubt has this node told that messages may be missing.
func (b *Backplane) doubt() {
	b.vague.Store(true)
	b.wake()
}

// wake has the receiver tell what there is to tell.
func (b *Backplane) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// from sets the sender of what this node sends.
func (b *Backplane) from(origin string) string {
	if origin == b.id {
		return ""
	}
	return b.id
}
