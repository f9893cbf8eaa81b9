package node

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Config configures a Server. Backplane and Membership must be given; every
// other field has a working zero value.
type Config struct {
	// Transport configures the Engine.IO layer: path, heartbeats, limits,
	// CORS. Token is set by the server.
	Transport transport.Config

	// Backplane connects the server with others; backplane/memory for a server
	// on its own. The server does not close it.
	Backplane backplane.Backplane

	// Membership says which servers there are; membership/static for a server
	// on its own. The server does not close it.
	Membership membership.Membership

	// ConnectTimeout is how long a client may stay without a namespace, and how
	// long middleware and OnConnect may take. A client that asks for namespaces
	// that do not exist gets no more time; one that middleware or OnConnect
	// refuses gets it anew. Zero means 20s.
	ConnectTimeout time.Duration

	// AckTimeout bounds calls that wait for clients or servers when their
	// context has no deadline. Zero means 10s.
	AckTimeout time.Duration

	// Codec turns values into JSON and back. Nil means protocol.JSON.
	Codec protocol.Codec

	// Limits of packets; zero fields mean the defaults of protocol.Limits.
	Limits protocol.Limits

	// MaxRoom is the longest room name in bytes. Zero means 256, and 4096 is the
	// most. A socket's id must fit, which may be 27 bytes longer than
	// Limits.MaxNamespace.
	MaxRoom int

	// MaxRooms is how many rooms one socket may be in, its own not counted.
	// Zero means 1,000.
	MaxRooms int

	// MaxNamespaces is how many namespaces one connection may use. Those that the
	// client has left while handlers or middleware run for them count until these
	// have ended, against twice the number. Zero means 16.
	MaxNamespaces int

	// Mailbox is how many events of one socket wait for its handlers before
	// reading from the connection pauses. It pauses, too, before more bytes wait
	// than Transport.MaxPayload, or 1,000,000 if that is more, unless it is one
	// event that has more; counted is what is in memory, which for MessagePack is
	// its JSON as well. While the server waits for an acknowledgement of that
	// client, 16 times as much is taken before the connection is closed with
	// transport.ReasonRateLimit. Zero means 64.
	Mailbox int

	// MaxDynamic is how many namespaces OfPattern and OfFunc may create. Zero
	// means 10,000.
	MaxDynamic int

	// KeepEmptyNamespaces keeps dynamic namespaces that lost their last socket.
	KeepEmptyNamespaces bool

	// Recovery of connection state. It needs a backplane with a log.
	Recovery Recovery

	// LogDown says what becomes of a durable emit while the log takes no writes.
	// Zero means LogDownWait.
	LogDown LogDown

	// CompatSeed selects the ways of python-socketio 1.x where they differ;
	// see docs/compatibility.md.
	CompatSeed bool

	// Logger is for what operators should know. Nil discards.
	Logger *slog.Logger
}

// Recovery configures connection state recovery: a client that lost its
// connection comes back with the same id, rooms, data, and the events it
// missed.
type Recovery struct {
	// Enabled turns it on, and makes broadcasts durable by default.
	Enabled bool

	// Window is how long a session waits for its client. Zero means 2min.
	Window time.Duration

	// SkipMiddleware does not run namespace middleware for a client that is
	// recovered. It does run by default: who may connect can have changed.
	SkipMiddleware bool

	// MaxBytes bounds the ring of past events, over all sockets; for a moment it
	// may be a quarter more. Zero means 256 MiB.
	MaxBytes int

	// ReplayEvents and ReplayBytes bound one replay; a client that missed more
	// is not recovered. Zero means 10,000 and 4 MiB.
	ReplayEvents, ReplayBytes int

	// SessionEvents and SessionBytes bound what is kept of a session's direct
	// emits. Zero means 256 and 64 KiB.
	SessionEvents, SessionBytes int

	// MaxWaiting is how many sessions wait for their clients at most. Beyond it
	// the one that has waited longest ends. Zero means 100,000.
	MaxWaiting int
}

const (
	defaultRoom = backplane.DefaultRoom
	maxTargets  = backplane.DefaultTargets // rooms, or exceptions, in one call
)

// withDefaults fills in what was left out. New keeps its result.
func (c Config) withDefaults() Config {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 20 * time.Second
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = 10 * time.Second
	}
	if c.Recovery.Window == 0 {
		c.Recovery.Window = 2 * time.Minute
	}
	for _, f := range c.bounds() {
		if *f.value == 0 {
			*f.value = f.zero
		}
	}
	c.Limits = c.Limits.WithDefaults()
	if c.Codec == nil {
		c.Codec = protocol.JSON
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CompatSeed {
		c.Transport = seedTransport(c.Transport)
	}
	if c.Transport.Logger == nil {
		c.Transport.Logger = c.Logger
	}
	return c
}

// bound is a field that must not be negative, and what zero means.
type bound struct {
	name  string
	value *int
	zero  int
}

func (c *Config) bounds() []bound {
	return []bound{
		{"MaxRoom", &c.MaxRoom, defaultRoom},
		{"MaxRooms", &c.MaxRooms, 1000},
		{"MaxNamespaces", &c.MaxNamespaces, 16},
		{"Mailbox", &c.Mailbox, 64},
		{"MaxDynamic", &c.MaxDynamic, 10_000},
		{"Recovery.MaxBytes", &c.Recovery.MaxBytes, 256 << 20},
		{"Recovery.ReplayEvents", &c.Recovery.ReplayEvents, 10_000},
		{"Recovery.ReplayBytes", &c.Recovery.ReplayBytes, 4 << 20},
		{"Recovery.SessionEvents", &c.Recovery.SessionEvents, 256},
		{"Recovery.SessionBytes", &c.Recovery.SessionBytes, 64 << 10},
		{"Recovery.MaxWaiting", &c.Recovery.MaxWaiting, 100_000},
	}
}

// Validate reports all that is wrong with the configuration, as New does.
func (c Config) Validate() error {
	c = c.withDefaults()
	errs := []error{c.Transport.Validate()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("node: "+format, args...)) }
	if c.Backplane == nil {
		bad("Backplane is nil: use backplane/memory for a server on its own")
	}
	if c.Membership == nil {
		bad("Membership is nil: use membership/static for a server on its own")
	}
	for _, f := range c.bounds() {
		if *f.value < 0 {
			bad("%s %d must not be negative", f.name, *f.value)
		}
	}
	// Ids are rooms, those of old clients with their namespace.
	if least := c.Limits.MaxNamespace + len("#") + idLen; c.MaxRoom < least || c.MaxRoom > backplane.MaxRoom {
		bad("MaxRoom %d is not between %d, the length of a socket's id, and %d", c.MaxRoom, least, backplane.MaxRoom)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"ConnectTimeout", c.ConnectTimeout}, {"AckTimeout", c.AckTimeout}, {"Recovery.Window", c.Recovery.Window}} {
		if d.d < 0 {
			bad("%s %v must not be negative", d.name, d.d)
		}
	}
	if c.LogDown > LogDownLive {
		bad("LogDown %d is neither LogDownWait nor LogDownLive", c.LogDown)
	}
	if c.Backplane == nil {
		return errors.Join(errs...)
	}
	switch n := len(backplane.Logs(c.Backplane)); {
	case n == 0 && c.Recovery.Enabled:
		bad("Recovery is enabled and the backplane has no log: choose a backplane with one, or turn it off")
	case n > 1:
		bad("the backplane has %d logs and this version follows one: configure it with one", n)
	}
	return errors.Join(errs...)
}
