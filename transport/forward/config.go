package forward

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/siod-io/siod/membership"
)

// Path is where homes serve Forwarder.Handler.
const Path = "/siod/forward"

// Config configures a Forwarder. Membership and Secrets must be given; every
// other field has a working zero value.
type Config struct {
	// Membership tells which node a token stands for, and its address: the
	// listener at Member.Addr must serve Forwarder.Handler at Path. No other
	// address is ever connected to.
	Membership membership.Membership

	// Secrets of the cluster: what proves to a home that a request comes from a
	// node. The first is used to send; each of them is accepted, so a new one is
	// first added behind the old one on all nodes, and then put before it. They
	// are never sent themselves.
	Secrets []string

	// TLS of connections to homes. Nil means none: requests, session ids among
	// them, then cross the network in clear text. An empty ServerName means the
	// host of the address.
	TLS *tls.Config

	// DialTimeout bounds the connecting to a home, TLS included. Zero means 3s.
	DialTimeout time.Duration

	// ReadTimeout bounds the time between two bytes of a request's body, and
	// the wait for the home's answer to a WebSocket handshake. WriteTimeout
	// bounds each write to a client, and the wait for the end of an answer that
	// is there already. Zero means 10s, as in transport.Config.
	ReadTimeout, WriteTimeout time.Duration

	// CheckInterval is after how long a silent connection to a home is checked,
	// and CheckTimeout how long the home may take to answer: a poll waits long in
	// silence, and is not to wait for a machine that is gone or a process that
	// hangs. Zero means 5s and 5s.
	CheckInterval, CheckTimeout time.Duration

	// MaxTunnels bounds the WebSockets that are tunnelled to other nodes; over
	// it an upgrade is answered 503, and the session stays on polling. Zero
	// means no bound.
	MaxTunnels int

	// DrainTime is the time over which Shutdown spreads the ends of tunnels,
	// so that their clients do not come back all at once. Zero means at once.
	DrainTime time.Duration

	// Logger is for what operators should know. Nil discards.
	Logger *slog.Logger
}

// stallTimeout bounds one write into a tunnel towards the home. A home that
// holds a client down stops reading from it; for longer than that it is taken
// for broken.
const stallTimeout = 2 * time.Minute

// idleTimeout is for how long a connection to a home is kept without a request.
// It is shorter than what servers have, so that no request meets a server that
// is just closing the connection.
const idleTimeout = 20 * time.Second

// streamBuffer bounds what is held of one answer that a client takes slowly, in
// bytes. Behind it the home waits, by its own WriteTimeout.
const streamBuffer = 256 << 10

// Protocols returns what the listener of Handler has to speak: HTTP/2 for polls,
// over TLS or clear text, and HTTP/1 for tunnels. It is for http.Server.Protocols.
func Protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.DialTimeout, 3*time.Second)
	def(&c.ReadTimeout, 10*time.Second)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.CheckInterval, 5*time.Second)
	def(&c.CheckTimeout, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports all that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("forward: "+format, args...)) }
	if c.Membership == nil {
		bad("Membership is nil: nothing tells where a session lives")
	}
	if len(c.Secrets) == 0 {
		bad("Secrets is empty: anybody who reaches the internal listener could speak for any client")
	}
	for i, s := range c.Secrets {
		if s == "" {
			bad("Secrets[%d] is empty", i)
		}
	}
	for _, d := range []time.Duration{c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.CheckInterval, c.CheckTimeout, c.DrainTime} {
		if d < 0 {
			bad("%v: a time-out must not be negative", d)
		}
	}
	if c.MaxTunnels < 0 {
		bad("MaxTunnels %d must not be negative", c.MaxTunnels)
	}
	return errors.Join(errs...)
}
