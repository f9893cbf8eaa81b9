package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/siod-io/siod/protocol"
)

// Transport is a way to carry Engine.IO packets.
type Transport string

// The transports, by their names on the wire.
const (
	Polling   Transport = "polling"
	WebSocket Transport = "websocket"
)

// Parser is the form of Socket.IO packets, the same on both sides.
type Parser uint8

// The parsers.
const (
	JSON        Parser = iota // socket.io-parser, the default everywhere
	MessagePack               // socket.io-msgpack-parser
)

// Config is how a client connects and behaves. The zero value is a working
// configuration.
type Config struct {
	// Path of the server's endpoint. Zero means the path of the URL or, if
	// that has none, "/socket.io/".
	Path string

	// Query is added to the query of every request.
	Query url.Values

	// Header is added to every request, also to WebSocket handshakes.
	Header http.Header

	// Jar keeps cookies, which some load balancers need. Zero means none.
	Jar http.CookieJar

	// Transports in the order of preference. The first one opens a session,
	// and the session is upgraded to WebSocket if that is among the others.
	// Zero means polling, then WebSocket.
	Transports []Transport

	// Parser must be that of the server. Zero means JSON.
	Parser Parser

	// Codec encodes and decodes arguments. Zero means protocol.JSON.
	Codec protocol.Codec

	// Limits bounds what is accepted from the server. Zero fields mean the
	// defaults of package protocol.
	Limits protocol.Limits

	// MaxMessage is the largest message or polling body in bytes that is
	// accepted from the server. Zero means 16 MiB.
	MaxMessage int

	// TLS is the configuration for https and wss. Zero means the default.
	TLS *tls.Config

	// Dial opens TCP connections. Zero means a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// ConnectTimeout bounds opening a session, upgrading it, each polling
	// request that sends, and each write. Zero means 20 s.
	ConnectTimeout time.Duration

	// AckTimeout bounds Socket.Connect, Emit, EmitWithAck and Call if their
	// context has no deadline. Zero means 20 s.
	AckTimeout time.Duration

	// CloseTimeout is how long Close lets what was emitted before go out. Zero
	// means 2 s.
	CloseTimeout time.Duration

	// NoReconnect leaves a broken connection alone until Client.Reconnect.
	NoReconnect bool

	// Backoff returns the delay before an attempt to reconnect; attempts count
	// from 0 since the connection was last up. It is called by one goroutine.
	// Zero means Exponential(1s, 5s, 0.5, nil), as in the JavaScript client.
	Backoff func(attempt int) time.Duration

	// MaxAttempts to reconnect before the client gives up and closes. Zero
	// means no limit.
	MaxAttempts int

	// SendQueue is the number of packets that wait to be written before Emit
	// waits. Zero means 64.
	SendQueue int

	// EventQueue is the number of events of a socket that wait for its
	// handlers before reading from the connection stops. Zero means 1024.
	//
	// Nothing else is read then either, pings included: if there is no room
	// by the time the next ping is due, the connection ends with PingTimeout.
	// While any socket of the client waits for an answer, to its connect or to
	// EmitWithAck, reading goes on up to 16 times as many, and then the
	// connection ends with EventOverflow. What was not queued is lost, unless
	// the server recovers the session; a session whose missed events alone are
	// too many is given up.
	EventQueue int

	// Logger gets what happens in the background: failed attempts at Debug,
	// errors of typed handlers at Warn. Zero means none.
	Logger *slog.Logger
}

// withDefaults returns c with its zero fields filled.
func (c Config) withDefaults() Config {
	if len(c.Transports) == 0 {
		c.Transports = []Transport{Polling, WebSocket}
	}
	if c.Codec == nil {
		c.Codec = protocol.JSON
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Backoff == nil {
		c.Backoff = Exponential(time.Second, 5*time.Second, 0.5, nil)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.WithDefaults()
	setDefault(&c.MaxMessage, 16<<20)
	setDefault(&c.ConnectTimeout, 20*time.Second)
	setDefault(&c.AckTimeout, 20*time.Second)
	setDefault(&c.CloseTimeout, 2*time.Second)
	setDefault(&c.SendQueue, 64)
	setDefault(&c.EventQueue, 1024)
	return c
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Validate returns all that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("client: config: "+format, args...)) }
	for i, t := range c.Transports {
		if t != Polling && t != WebSocket {
			bad("unknown transport %q", t)
		}
		if slices.Contains(c.Transports[:i], t) {
			bad("transport %q twice", t)
		}
	}
	if c.Parser > MessagePack {
		bad("unknown parser %d", c.Parser)
	}
	if c.Path != "" && c.Path[0] != '/' {
		bad("path %q does not begin with a slash", c.Path)
	}
	for name, v := range map[string]int64{
		"MaxMessage": int64(c.MaxMessage), "ConnectTimeout": int64(c.ConnectTimeout), "AckTimeout": int64(c.AckTimeout),
		"CloseTimeout": int64(c.CloseTimeout), "MaxAttempts": int64(c.MaxAttempts), "SendQueue": int64(c.SendQueue),
		"EventQueue": int64(c.EventQueue),
	} {
		if v < 0 {
			bad("%s is negative", name)
		}
	}
	return errors.Join(errs...)
}

// Exponential returns a back-off that begins at minimum, doubles to maximum,
// and varies by the part jitter (0 to 1) in both directions, never over
// maximum. Random numbers in [0, 1) come from random; nil means the global
// source.
func Exponential(minimum, maximum time.Duration, jitter float64, random func() float64) func(attempt int) time.Duration {
	if random == nil {
		random = rand.Float64
	}
	return func(attempt int) time.Duration {
		d := float64(minimum)
		for range min(attempt, 62) {
			d *= 2
		}
		d *= 1 + jitter*(2*random()-1)
		return time.Duration(max(0, min(d, float64(maximum))))
	}
}
