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

// Config configures a Server. The zero value is a working server on its own:
// memory backplane and static membership of one must be given, see New.
type Config struct {
	// Transport configures the Engine.IO layer: path, heartbeats, limits,
	// CORS. Token is set by the server.
	Transport transport.Config

	// Backplane connects the server with others. New needs one;
	// backplane/memory for a server on its own.
	Backplane backplane.Backplane

	// Membership says which servers there are. New needs one;
	// membership/static for a server on its own.
	Membership membership.Membership

	// ConnectTimeout is how long a client may stay without a namespace. Zero
	// means 20s. Clients of 1.x and 2.x are in "/" from the start.
	ConnectTimeout time.Duration

	// AckTimeout bounds calls that wait for clients or servers when their
	// context has no deadline. Zero means 10s.
	AckTimeout time.Duration

	// Codec turns values into JSON and back. Nil means protocol.JSON.
	Codec protocol.Codec

	// Limits of packets; zero fields mean the defaults of protocol.Limits.
	Limits protocol.Limits

	// MaxRoom is the longest room name in bytes. Zero means 256, 4096 is the
	// most.
	MaxRoom int

	// MaxRooms is how many rooms one socket may be in. Zero means 1,000.
	MaxRooms int

	// MaxNamespaces is how many namespaces one connection may use. Zero means
	// 16.
	MaxNamespaces int

	// Mailbox is how many events of one socket wait for its handlers before
	// reading from the connection pauses. Zero means 64.
	Mailbox int

	// MaxDynamic is how many namespaces OfPattern and OfFunc may create. Zero
	// means 10,000.
	MaxDynamic int

	// KeepEmptyNamespaces keeps dynamic namespaces that lost their last socket.
	KeepEmptyNamespaces bool

	// Recovery of connection state. It needs a backplane with a log.
	Recovery Recovery

	// CompatSeed selects the defaults of python-socketio 1.x: see
	// docs/compatibility.md.
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

	// SkipMiddleware does not run namespace middleware on a recovery. They do
	// run by default: who may connect can have changed.
	SkipMiddleware bool

	// MaxBytes bounds the ring of past events, over all sockets. Zero means
	// 256 MiB.
	MaxBytes int

	// ReplayEvents and ReplayBytes bound one replay; a client that missed more
	// is not recovered. Zero means 10,000 and 4 MiB.
	ReplayEvents, ReplayBytes int

	// SessionEvents and SessionBytes bound what is kept of a session's direct
	// emits. Zero means 256 and 64 KiB.
	SessionEvents, SessionBytes int
}

const (
	defaultRoom = backplane.DefaultRoom
	maxTargets  = backplane.DefaultTargets
)

func (c Config) withDefaults() Config {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	defTime := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	defTime(&c.ConnectTimeout, 20*time.Second)
	defTime(&c.AckTimeout, 10*time.Second)
	defTime(&c.Recovery.Window, 2*time.Minute)
	def(&c.MaxRoom, defaultRoom)
	def(&c.MaxRooms, 1000)
	def(&c.MaxNamespaces, 16)
	def(&c.Mailbox, 64)
	def(&c.MaxDynamic, 10_000)
	def(&c.Recovery.MaxBytes, 256<<20)
	def(&c.Recovery.ReplayEvents, 10_000)
	def(&c.Recovery.ReplayBytes, 4<<20)
	def(&c.Recovery.SessionEvents, 256)
	def(&c.Recovery.SessionBytes, 64<<10)
	def(&c.Limits.MaxEvent, protocol.DefaultMaxEvent)
	def(&c.Limits.MaxNamespace, protocol.DefaultMaxNamespace)
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

// seedTransport fills in python-socketio 1.x's defaults where nothing was set
// (R7).
func seedTransport(t transport.Config) transport.Config {
	if t.PingTimeout == 0 {
		t.PingTimeout = 60 * time.Second
	}
	if t.MaxPayload == 0 {
		t.MaxPayload = 100_000_000
	}
	if t.Cookie == nil {
		t.Cookie = &transport.Cookie{Name: "io"}
	}
	if len(t.CORS.Origins) == 0 && t.CORS.Func == nil {
		t.CORS.Origins = []string{"*"}
		t.CORS.Credentials, t.CORS.InsecureAnyOrigin = true, true
	}
	return t
}

// Validate reports all that is wrong with the configuration.
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
	if c.MaxRoom < 0 || c.MaxRoom > backplane.MaxRoom {
		bad("MaxRoom %d is not between 1 and %d", c.MaxRoom, backplane.MaxRoom)
	}
	for name, n := range map[string]int{
		"MaxRooms": c.MaxRooms, "MaxNamespaces": c.MaxNamespaces, "Mailbox": c.Mailbox, "MaxDynamic": c.MaxDynamic,
		"Recovery.MaxBytes": c.Recovery.MaxBytes, "Recovery.ReplayEvents": c.Recovery.ReplayEvents, "Recovery.ReplayBytes": c.Recovery.ReplayBytes,
		"Recovery.SessionEvents": c.Recovery.SessionEvents, "Recovery.SessionBytes": c.Recovery.SessionBytes,
	} {
		if n < 0 {
			bad("%s %d must not be negative", name, n)
		}
	}
	for name, d := range map[string]time.Duration{"ConnectTimeout": c.ConnectTimeout, "AckTimeout": c.AckTimeout, "Recovery.Window": c.Recovery.Window} {
		if d < 0 {
			bad("%s %v must not be negative", name, d)
		}
	}
	if c.Recovery.Enabled && c.Backplane != nil && len(backplane.Logs(c.Backplane)) == 0 {
		bad("Recovery is enabled and the backplane has no log: choose a backplane with one, or turn it off")
	}
	return errors.Join(errs...)
}
