package natsio

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
)

// ErrConfig: a [Config] that cannot work.
var ErrConfig = errors.New("natsio: bad configuration")

// Config of a [Backplane]. ID is required, and one of URL and InProcess.
type Config struct {
	// ID is the boot id of this node: how rosters, Node addresses and
	// envelopes name it. A restarted process has another.
	ID string

	// Token is the home token of this node's socket ids, what it subscribes by
	// backplane.Home. It is told in logs only.
	Token string

	// Cluster is the name of the cluster. Two clusters on one NATS share
	// nothing. Zero means "siod".
	Cluster string

	// URL is where an external NATS is: addresses separated by commas.
	URL string

	// InProcess is the server in this process. It goes before URL.
	InProcess nats.InProcessConnProvider

	// Options are credentials and TLS of both connections. Those that say how
	// to reconnect, which inbox to use and who is told of events are overruled.
	Options []nats.Option

	// Limits bounds envelopes, those sent and those received. Zero fields mean
	// the defaults there. Payload is bounded by what the server takes as well.
	Limits backplane.Limits

	// Log makes durable logs. Zero means that there are none.
	Log *LogConfig

	// Sessions makes a store of session journals and owners. Zero means that
	// there is none: sessions do not survive the kill of their node.
	Sessions *SessionConfig

	// Logger gets what an operator should know. Zero means slog.Default.
	Logger *slog.Logger

	// Queue is the number of messages that may wait for the handlers; what is
	// beyond it is lost, counted and told as a gap. Zero means 65,536.
	Queue int

	// QueueBytes bounds the bytes of these messages, and of the replies that
	// wait for one loop. Zero means 64 MiB.
	QueueBytes int

	// Replies is the number of replies that may wait to be sorted to their
	// requests, and of those that may wait for one loop over a request. A node
	// whose replies are lost to it fails with ReasonLost. Zero means 65,536.
	Replies int

	// Counters is the number of addresses whose publications are numbered at a
	// time (R22). Beyond it the one not used for longest is forgotten and
	// begins again, which costs accuracy of loss counts only. Zero means 65,536.
	Counters int

	// Linger is how long a room or socket stays subscribed on the wire after its
	// subscription was closed, so that a client which reconnects costs nothing.
	// Zero means 10 s, negative means not at all.
	Linger time.Duration

	// Lingering is the number of subscriptions that may linger. Beyond it the
	// oldest one ends early. Zero means 65,536.
	Lingering int

	// Rooms is the number of rooms that are subscribed on the wire one by one.
	// Beyond it the densest shards are subscribed as a whole, which costs this
	// node messages to rooms that it has no members of. Zero means 200,000.
	Rooms int

	// Beat is the time between two signs of life. All nodes of a cluster have
	// the same. One that is silent for three beats is not heard. Zero means 1 s.
	Beat time.Duration

	// ReconnectWait is the time between two attempts to reach the servers after
	// a connection was lost; half of it again is added at random. Zero means
	// 250 ms.
	ReconnectWait time.Duration

	// Timeout bounds an attempt to connect, and a write that the server does
	// not take: then the connection is given up for a new one. Zero means 5 s.
	Timeout time.Duration
}

func (c Config) withDefaults() Config {
	c.Cluster = cmp.Or(c.Cluster, "siod")
	c.Queue = cmp.Or(c.Queue, 65_536)
	c.QueueBytes = cmp.Or(c.QueueBytes, 64<<20)
	c.Replies = cmp.Or(c.Replies, 65_536)
	c.Counters = cmp.Or(c.Counters, 65_536)
	c.Linger = cmp.Or(c.Linger, 10*time.Second)
	c.Lingering = cmp.Or(c.Lingering, 65_536)
	c.Rooms = cmp.Or(c.Rooms, 200_000)
	c.Beat = cmp.Or(c.Beat, time.Second)
	c.ReconnectWait = cmp.Or(c.ReconnectWait, 250*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("node", c.ID)
	if c.Token != "" {
		c.Logger = c.Logger.With("token", c.Token)
	}
	return c
}

func (c Config) check() error {
	if c.Log != nil {
		if err := c.Log.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if c.Sessions != nil {
		if err := c.Sessions.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	switch {
	case c.ID == "" || len(c.ID) > backplane.MaxID:
		return fmt.Errorf("%w: boot id %q", ErrConfig, c.ID)
	case c.URL == "" && c.InProcess == nil:
		return fmt.Errorf("%w: neither a URL nor a server in this process", ErrConfig)
	}
	for name, v := range map[string]int{
		"Queue": c.Queue, "QueueBytes": c.QueueBytes, "Replies": c.Replies, "Counters": c.Counters, "Lingering": c.Lingering, "Rooms": c.Rooms,
		"Beat": int(c.Beat), "ReconnectWait": int(c.ReconnectWait), "Timeout": int(c.Timeout),
	} {
		if v < 0 {
			return fmt.Errorf("%w: %s is negative", ErrConfig, name)
		}
	}
	return nil
}
