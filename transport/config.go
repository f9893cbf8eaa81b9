package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Config configures an Engine. The zero value of every field is a working
// default; New copies the struct.
type Config struct {
	// Path is the prefix of the engine's URLs, with both slashes. Empty means
	// "/socket.io/".
	Path string

	// Token begins every session id, so that any node of a cluster can tell
	// which of them a session lives on (R2). Empty means none.
	Token string

	// Foreign answers requests for sessions of other nodes: those whose id
	// begins with another token than Token, which must be set. All nodes' tokens
	// have the same length. Nil means that these sessions are unknown here.
	Foreign Forwarder

	// Shards is the number of writers, at most 4,096. Zero means GOMAXPROCS.
	Shards int

	// PingInterval is the time between heartbeats, PingTimeout how long an
	// answer may take. Zero means 25s and 20s.
	PingInterval, PingTimeout time.Duration

	// UpgradeTimeout bounds an upgrade from its WebSocket handshake to its
	// end. Zero means 10s.
	UpgradeTimeout time.Duration

	// ReadTimeout bounds the time between two bytes of one message, and of the
	// body of a POST. WriteTimeout bounds one write to a slow connection.
	// CloseTimeout bounds the wait for the client's close frame. PollTimeout
	// bounds the wait for the poll that fetches the end of a closed session.
	// Zero means 10s, 10s, 5s and 30s.
	ReadTimeout, WriteTimeout, CloseTimeout, PollTimeout time.Duration

	// MaxPayload is the largest message accepted, in bytes: the body of a
	// POST, and a WebSocket message over all its fragments and after
	// inflating. It is announced to the client. Zero means 1,000,000.
	MaxPayload int

	// Transports lists the enabled transports, "polling" and "websocket". Nil
	// means both.
	Transports []string

	// DisableUpgrades keeps sessions on the transport they began with.
	DisableUpgrades bool

	// DisableEIO3 refuses clients of the 1.x and 2.x lines.
	DisableEIO3 bool

	// JSONP allows polling by script tags for clients that ask for it. It is
	// off by default because it answers with JavaScript.
	JSONP bool

	// Compression of polling responses, by gzip or deflate.
	Compression Compression

	// PerMessageDeflate compresses WebSocket messages. It is negotiated
	// without context takeover, so that one compressed frame serves all
	// sessions.
	PerMessageDeflate PerMessageDeflate

	// CORS says which other origins may use the engine.
	CORS CORS

	// Cookie, if not nil, is set by the handshake's response.
	Cookie *Cookie

	// Queue bounds what waits for one slow session.
	Queue Queue

	// Inbox bounds what waits for one of the engine's writers.
	Inbox Inbox

	// MaxSessions bounds the sessions of the engine; a handshake over it is
	// answered 503 with Retry-After. Zero means no bound.
	MaxSessions int

	// Events bounds the messages that one session may send. Zero means no
	// bound.
	Events EventLimit

	// Handshakes bounds the handshakes of one IP address; over it they are
	// answered 503 with Retry-After. Zero means no bound. Behind a proxy it
	// needs TrustedProxies: all clients have the proxy's address otherwise.
	Handshakes RateLimit

	// TrustedProxies are the addresses of proxies whose X-Forwarded-For (see
	// Session.ClientIP and Handshakes), X-Forwarded-Proto and X-Forwarded-Host
	// (see CORS and Handshake.Secure) are believed. They must set these headers
	// themselves and not pass a client's on. Nil means none.
	TrustedProxies []netip.Prefix

	// Subprotocols lists the WebSocket subprotocols that the engine agrees to
	// if a client asks for one; it does nothing else with them. Nil means none.
	Subprotocols []string

	// Allow is asked before each handshake; an error refuses it with code 4.
	// The error's text is sent to the client. It may block, and is called
	// concurrently, as are the other functions here.
	Allow func(*http.Request) error

	// Principal names whom a request acts for, from a cookie or a header, say.
	// If set, later polling requests of a session must name the same as its
	// handshake did, which keeps a stolen session id from being used.
	Principal func(*http.Request) string

	// InitialHeaders may add headers to the response of a handshake, Headers
	// to every response of the engine, the 101 of a WebSocket included.
	InitialHeaders, Headers func(http.Header, *http.Request)

	// OnRefused is called for every request refused before it reached a
	// session: the diagnosis that the client is not given.
	OnRefused func(*RequestError)

	// Logger receives panics of the handler, at error level: one in 10s with its
	// stack, while Stats.HandlerPanics counts all. Nil discards.
	Logger *slog.Logger
}

// Compression configures the compression of polling responses.
type Compression struct {
	Disabled bool
	// Threshold is the smallest body that is compressed, in bytes. Zero means
	// 1,024. Handshake responses, which carry the session id, never are.
	Threshold int
}

// PerMessageDeflate configures the compression of WebSocket messages.
type PerMessageDeflate struct {
	Enabled bool
	// Threshold is the smallest message that is compressed. Zero means 1,024.
	Threshold int
}

// Queue bounds what waits for one session that reads slowly, or polls.
type Queue struct {
	// MaxBytes and MaxMessages: zero means 1 MiB and 1,024. Broadcast bytes
	// are shared in memory but charged to each session.
	MaxBytes, MaxMessages int
	// Policy is what happens at the bound. Empty means PolicyDisconnect.
	Policy Policy
}

// Inbox bounds what waits for one writer, of which there are Shards: broadcasts,
// which count once, and what is for one session. Above the bounds whoever emits
// waits, and volatile messages are dropped and counted.
type Inbox struct {
	// MaxMessages and MaxBytes: zero means 16,384 and 64 MiB.
	MaxMessages, MaxBytes int
}

// Policy is what happens to a session whose queue is full.
type Policy string

const (
	// PolicyDisconnect ends the session with ReasonSlowConsumer.
	PolicyDisconnect Policy = "disconnect"
	// PolicyDropOldest drops the oldest queued messages, counted.
	PolicyDropOldest Policy = "drop-oldest"
)

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	defInt := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	if c.Path == "" {
		c.Path = "/socket.io/"
	}
	def(&c.PingInterval, 25*time.Second)
	def(&c.PingTimeout, 20*time.Second)
	def(&c.UpgradeTimeout, 10*time.Second)
	def(&c.ReadTimeout, 10*time.Second)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.CloseTimeout, 5*time.Second)
	def(&c.PollTimeout, 30*time.Second)
	def(&c.Events.MaxPause, 5*time.Second)
	defInt(&c.MaxPayload, 1_000_000)
	defInt(&c.Compression.Threshold, 1024)
	defInt(&c.PerMessageDeflate.Threshold, 1024)
	defInt(&c.Queue.MaxBytes, 1<<20)
	defInt(&c.Queue.MaxMessages, 1024)
	defInt(&c.Inbox.MaxMessages, 16384)
	defInt(&c.Inbox.MaxBytes, 64<<20)
	if c.Queue.Policy == "" {
		c.Queue.Policy = PolicyDisconnect
	}
	if c.Transports == nil {
		c.Transports = []string{Polling, WebSocket}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports all that is wrong with the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("transport: "+format, args...)) }
	if !strings.HasPrefix(c.Path, "/") || !strings.HasSuffix(c.Path, "/") {
		bad("Path %q must begin and end with a slash", c.Path)
	}
	for name, d := range map[string]time.Duration{
		"PingInterval": c.PingInterval, "PingTimeout": c.PingTimeout, "UpgradeTimeout": c.UpgradeTimeout,
		"ReadTimeout": c.ReadTimeout, "WriteTimeout": c.WriteTimeout, "CloseTimeout": c.CloseTimeout, "PollTimeout": c.PollTimeout,
		"Events.MaxPause": c.Events.MaxPause,
	} {
		if d < 0 {
			bad("%s %v must not be negative", name, d)
		}
	}
	if c.MaxPayload < 0 || c.MaxSessions < 0 || c.Shards < 0 || c.Queue.MaxBytes < 0 || c.Queue.MaxMessages < 0 || c.Inbox.MaxBytes < 0 || c.Inbox.MaxMessages < 0 {
		bad("MaxPayload, MaxSessions, Shards and the bounds of Queue and Inbox must not be negative")
	}
	if c.Shards > maxShards {
		bad("Shards %d is more than %d, the most there may be", c.Shards, maxShards)
	}
	if c.Compression.Threshold < 0 || c.PerMessageDeflate.Threshold < 0 {
		bad("Compression.Threshold and PerMessageDeflate.Threshold must not be negative")
	}
	if len(c.Transports) == 0 {
		bad("Transports is empty: no client could connect")
	}
	for _, t := range c.Transports {
		if t != Polling && t != WebSocket {
			bad("Transports: %q is neither %q nor %q", t, Polling, WebSocket)
		}
	}
	if c.Queue.Policy != PolicyDisconnect && c.Queue.Policy != PolicyDropOldest {
		bad("Queue.Policy: %q is neither %q nor %q", c.Queue.Policy, PolicyDisconnect, PolicyDropOldest)
	}
	if c.Cookie != nil {
		if err := c.Cookie.build("sid", false).Valid(); err != nil {
			bad("Cookie: %w", err)
		}
	}
	errs = append(errs, c.Events.limit().validate("Events"), c.Handshakes.validate("Handshakes"), c.CORS.validate())
	return errors.Join(errs...)
}
