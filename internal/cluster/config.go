package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config says what a node is a part of. The zero value is a server on its own.
type Config struct {
	// ID is the boot id. Zero means a new one, which is as it should be.
	ID string

	// Name is the stable name of the node, the same after a restart. A store
	// node of a mesh needs one. Zero means none.
	Name string

	// Version of the software, for the others to see.
	Version string

	// Cluster is the name of the cluster. Zero means "siod".
	Cluster string

	// Secrets of the cluster, at least 16 bytes each: the first is used, all are
	// accepted. Required with Gossip.
	Secrets []string

	// Gossip is where nodes tell each other who is there, "host:port". Zero
	// means that there are no other nodes.
	Gossip string

	// Join lists the gossip addresses of other nodes.
	Join []string

	// Internal is where this node's internal listener listens, "host:port".
	// Required with Gossip: other nodes pass requests on to it.
	Internal string

	// Advertise is the host at which the others reach this node. Zero means the
	// hosts of the listeners and, where these are all addresses, the first
	// private one of the machine.
	Advertise string

	// Routes is where the NATS servers of other nodes connect, "host:port". Zero
	// means the host of Gossip and a free port.
	Routes string

	// RouteTLS is for both ends of routes. Required beyond loopback, unless
	// InsecureRoutes.
	RouteTLS TLS

	InsecureRoutes bool

	// Stores is the number of nodes that keep durable events, 0, 1 or 3; all
	// nodes agree. With NATS.URL it is the number of servers there that keep
	// each event. Zero means that there are no durable events.
	Stores int

	// Store says that this node is one of them. The only node is in any case.
	Store bool

	// StoreDir is the directory of the store. Zero means in memory.
	StoreDir string

	// StoreKeys encrypt StoreDir: the first is used, a second one is that of
	// before. Zero means that it is not encrypted.
	StoreKeys []string

	// Recovery has what other nodes need of the sessions of this one stored, so
	// that clients go on after it was killed. All nodes agree. Without Stores it
	// does nothing.
	Recovery bool

	// Window is how long durable events are kept for clients that come back.
	// Zero means 2min.
	Window time.Duration

	// Queue bounds the durable events of this node that wait until they are
	// stored. Zero means 10,000 and 64 MiB.
	Queue Bounds

	// Hold bounds the durable events that wait for one before them. Zero means
	// 10,000 and 16 MiB.
	Hold Bounds

	// NATS outside of the nodes, and for emitters.
	NATS NATS

	// MaxPayload bounds an event with its attachments, in bytes. Zero means
	// 1 MiB. MaxNamespace, MaxEvent and MaxRoom are those of package node.
	MaxPayload, MaxNamespace, MaxEvent, MaxRoom int

	// ReadTimeout and WriteTimeout are those of the clients' listener. Zero
	// means 10s.
	ReadTimeout, WriteTimeout time.Duration

	// DrainTime is the time over which Stop spreads the ends of tunnels. Zero
	// means at once.
	DrainTime time.Duration

	// StartTimeout bounds Start. Zero means 5min: the other store nodes may have
	// to be started first.
	StartTimeout time.Duration

	// Logger is for what operators should know. Nil discards.
	Logger *slog.Logger
}

// Bounds of a queue: events, and their bytes.
type Bounds struct{ Events, Bytes int }

// NATS says which NATS the nodes use.
type NATS struct {
	URL string // of servers outside, separated by commas. Zero means those within the nodes

	// How to log in there: user and password, token, or a file of credentials.
	User, Password, Token, Creds string

	// TLS of the connection to URL, and of the listener.
	TLS TLS

	// Existing says that the streams at URL are there and are not to be made.
	Existing bool

	// Listen is where emitters connect to the server within this node. Zero
	// means nowhere.
	Listen string
}

// TLS names files in PEM form: authorities, a certificate and its key.
type TLS struct {
	CA, Cert, Key string
}

func (t TLS) none() bool { return t == TLS{} }

var (
	// ErrReplaced: a later boot has this node's name.
	ErrReplaced = errors.New("cluster: a node that started later has taken this node's name")

	errNoHost = errors.New("the machine has no private address: say by --advertise at which host other nodes reach it")
)

func (c Config) withDefaults() Config {
	c.Cluster = cmp.Or(c.Cluster, "siod")
	c.Window = cmp.Or(c.Window, 2*time.Minute)
	c.StartTimeout = cmp.Or(c.StartTimeout, 5*time.Minute)
	c.MaxPayload = cmp.Or(c.MaxPayload, 1<<20)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Routes == "" && c.Gossip != "" {
		host, _, _ := net.SplitHostPort(c.Gossip) // Validate has looked at it
		c.Routes = net.JoinHostPort(host, "0")
	}
	return c
}

// alone reports whether the server needs neither other nodes nor NATS.
func (c Config) alone() bool {
	return c.Gossip == "" && c.NATS.URL == "" && c.NATS.Listen == "" && c.Stores == 0
}

// embedded reports whether a NATS server runs within this node.
func (c Config) embedded() bool { return !c.alone() && c.NATS.URL == "" }

// Validate reports what the parts cannot find by themselves.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("cluster: "+format, args...)) }
	if c.Gossip != "" {
		if _, _, err := net.SplitHostPort(c.Gossip); err != nil {
			bad("Gossip: %w", err)
		}
		if len(c.Secrets) == 0 {
			bad("Secrets is empty: nodes could not tell each other from anybody else")
		}
		if c.Internal == "" {
			bad("Internal is empty: other nodes pass requests on to it")
		}
	} else {
		switch {
		case len(c.Join) > 0:
			bad("Join needs Gossip")
		case c.NATS.URL != "":
			bad("NATS.URL needs Gossip: nodes find each other by it")
		case c.Stores == 3:
			bad("Stores is 3 and there are no other nodes: it needs Gossip")
		}
	}
	if c.NATS.URL != "" && c.NATS.Listen != "" {
		bad("NATS.Listen is of a server within this node, and NATS.URL is one outside")
	}
	if c.NATS.URL != "" && (c.Store || c.StoreDir != "") {
		bad("NATS.URL keeps durable events itself: Store and StoreDir are of a server within this node")
	}
	return errors.Join(errs...)
}
