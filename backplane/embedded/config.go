package embedded

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/membership"
)

// Keys of membership.Member.Meta that this package writes and reads.
const (
	MetaRoute = "route" // "host:port" of the member's route listener
	MetaStore = "store" // "1" if it is a store node
)

// Config says what the server is. Name is required; the zero value of
// everything else is a standalone server without a store.
type Config struct {
	// Name is the stable name of the server, the same after a restart: at most
	// 64 bytes of printable ASCII without spaces. A store node's name is its
	// identity in raft. Two servers of a mesh must not share one.
	Name string

	// Cluster is the name of the cluster, 1 to 32 of the characters
	// A-Z a-z 0-9 - _. Servers of another cluster are refused. Zero means
	// "siod".
	Cluster string

	// Dir is the directory of the store; a single server may use it at a time.
	// Zero means that logs are kept in memory only, with some files of raft in a
	// temporary directory. A log of three then outlives any one of its nodes.
	Dir string

	// Keys encrypt what is in Dir (AES-GCM): the first is used, a second one is
	// that of before, so that one can replace another; with Routes there is one.
	// Each store node may have its own. Zero means that files are not encrypted.
	Keys []string

	// Store is the number of store nodes in the cluster: 0, 1 or 3. All nodes
	// have to agree. Zero means that there are no logs.
	Store int

	// IsStore says that this server is one of them. A standalone server with
	// Store 1 is the store in any case.
	IsStore bool

	// Routes connects the servers of a mesh. The zero value is a standalone
	// server.
	Routes RouteConfig

	// Listen is where clients that are not in this process connect, "host:port",
	// with port 0 for any. Zero means nowhere.
	Listen string

	// ListenTLS is for that listener. Zero means none.
	ListenTLS *tls.Config

	// Passwords of the roles. Those that are empty are derived from the first of
	// Routes.Secrets, or drawn at random if there is none.
	Passwords Passwords

	// Members says where the other servers are. Required in a mesh. Start adds
	// its own entries to the Meta there, so others must not replace Meta
	// meanwhile.
	Members membership.Membership

	// MaxPayload bounds a message, in bytes. Zero means 8 MiB.
	MaxPayload int

	// StartTimeout bounds the wait of Start for the other store nodes and for a
	// leader among them. Zero means 2 minutes.
	StartTimeout time.Duration

	// Logger gets what the server says: its warnings and errors as warnings,
	// since it goes on trying, and everything else at Debug. Zero means nobody.
	Logger *slog.Logger
}

// RouteConfig connects the servers of a mesh.
type RouteConfig struct {
	// Listen is where the other servers connect, "host:port", with port 0 for
	// any. Zero means that the server stands alone.
	Listen string

	// Advertise is what the others are told instead, "host" or "host:port". Zero
	// means Listen, or if that is unspecified the host of the member's Addr.
	Advertise string

	// Secrets are the cluster's: the first is sent, all are accepted, so that one
	// can replace another without a moment at which nodes refuse each other. At
	// least one is required unless Listen is loopback.
	Secrets []string

	// TLS is for both ends of every route: certificates, the authorities that
	// sign those of the others, and a ServerName if all share one. Peers have to
	// show a certificate. Required unless Listen is loopback or Insecure is set.
	TLS *tls.Config

	// Insecure allows routes without TLS beyond loopback, on a network where
	// nobody else can read or write.
	Insecure bool
}

// Passwords of the roles.
type Passwords struct {
	Node, Emitter, Worker string
}

var (
	// ErrStores: a number of store nodes that no set of raft is well served by.
	ErrStores = errors.New("embedded: a cluster has 0, 1 or 3 store nodes")

	// ErrInsecure: routes beyond loopback without TLS or without a secret.
	ErrInsecure = errors.New("embedded: insecure routes")

	// ErrStoreDir: the directory is in use, or holds the store of another server,
	// cluster or set of store nodes, or one with another key.
	ErrStoreDir = errors.New("embedded: store directory refused")

	// ErrNotReady: the store nodes did not come together in time.
	ErrNotReady = errors.New("embedded: no store yet")

	// ErrAlone: no other store node is there to take over.
	ErrAlone = errors.New("embedded: no other store node")

	// ErrClosed: Shutdown was called.
	ErrClosed = errors.New("embedded: server closed")
)

func (c Config) withDefaults() Config {
	c.Cluster = cmp.Or(c.Cluster, "siod")
	c.MaxPayload = cmp.Or(c.MaxPayload, 8<<20)
	c.StartTimeout = cmp.Or(c.StartTimeout, 2*time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if !c.mesh() && c.Store == 1 {
		c.IsStore = true
	}
	return c
}

// mesh reports whether the server is to be one of several.
func (c Config) mesh() bool { return c.Routes.Listen != "" }

// Validate joins everything that is wrong with c.
//
// Errors: [ErrStores], [ErrInsecure] and others without a name.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("embedded: "+format, args...)) }
	if !printable(c.Name) || len(c.Name) > 64 {
		bad("Name %.80q: 1 to 64 bytes of printable ASCII without spaces are required", c.Name)
	}
	if _, err := subject.New(c.Cluster); err != nil {
		bad("Cluster: %w", err)
	}
	if c.MaxPayload < 1024 || c.MaxPayload > 64<<20 {
		bad("MaxPayload %d is not between 1024 and %d", c.MaxPayload, 64<<20)
	}
	if c.StartTimeout < 0 {
		bad("StartTimeout %v is negative", c.StartTimeout)
	}
	if c.Listen != "" {
		if _, _, err := splitListen(c.Listen); err != nil {
			bad("Listen: %w", err)
		}
	}
	for _, p := range []string{c.Passwords.Node, c.Passwords.Emitter, c.Passwords.Worker} {
		if strings.HasPrefix(p, "$2") {
			bad("Passwords has one that begins with $2, which nats-server takes for a hash")
		}
	}
	errs = append(errs, c.validateStore(), c.validateRoutes())
	return errors.Join(errs...)
}

// minKey is the length of the shortest key of a store, in bytes.
const minKey = 16

func (c Config) validateStore() error {
	switch {
	case c.Store == 2:
		return fmt.Errorf("%w: two stop when either of them does", ErrStores)
	case c.Store != 0 && c.Store != 1 && c.Store != 3:
		return fmt.Errorf("%w: got %d", ErrStores, c.Store)
	case c.Store == 3 && !c.mesh():
		return fmt.Errorf("%w: a server that stands alone cannot be one of three", ErrStores)
	case c.Store == 0 && c.IsStore:
		return fmt.Errorf("%w: IsStore is set and Store is 0", ErrStores)
	case len(c.Keys) > 0 && c.Dir == "":
		return errors.New("embedded: Keys without Dir: what is in memory is not encrypted")
	case len(c.Keys) > 1 && c.mesh():
		return errors.New("embedded: two Keys with Routes: the logs of a set of store nodes open with one; to change it, empty Dir, and the others bring what was there")
	case len(c.Keys) > 2:
		return fmt.Errorf("embedded: %d Keys, there may be two: the one to use, and the one before", len(c.Keys))
	}
	for _, key := range c.Keys {
		if len(key) < minKey {
			return fmt.Errorf("embedded: Keys has one of %d bytes, at least %d are required", len(key), minKey)
		}
	}
	return nil
}

func (c Config) validateRoutes() error {
	r := c.Routes
	if r.Listen == "" {
		return nil
	}
	host, _, err := splitListen(r.Listen)
	if err != nil {
		return fmt.Errorf("embedded: Routes.Listen: %w", err)
	}
	if c.Members == nil {
		return errors.New("embedded: Members is required with Routes.Listen")
	}
	for _, s := range r.Secrets {
		if s == "" {
			return errors.New("embedded: Routes.Secrets has an empty one")
		}
	}
	switch {
	case isLoopback(host):
		return nil
	case len(r.Secrets) == 0:
		return fmt.Errorf("%w: a listener at %s needs a secret", ErrInsecure, r.Listen)
	case r.TLS == nil && !r.Insecure:
		return fmt.Errorf("%w: a listener at %s needs TLS; Insecure allows it without on a network of your own", ErrInsecure, r.Listen)
	}
	return nil
}

// splitListen splits "host:port".
func splitListen(addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %s: port %q is not a number below 65536", addr, p)
	}
	return host, int(n), nil
}

// hostOf returns the host of "host:port".
func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr) // "" of anything else
	return host
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isUnspecified reports whether a host stands for all addresses.
func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// printable reports whether s is not empty and has graphic ASCII only.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
