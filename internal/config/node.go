package config

import (
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Node is the configuration of a server without its backplane, membership and
// logger.
func (c *Config) Node() node.Config {
	r := c.Recovery
	return node.Config{
		Transport:      c.Transport(),
		ConnectTimeout: c.ConnectTimeout,
		AckTimeout:     c.AckTimeout,
		Limits: protocol.Limits{
			MaxAttachments: c.MaxAttachments, MaxArguments: c.MaxArguments, MaxDepth: c.MaxDepth, MaxEvent: int(c.MaxEvent),
			MaxNamespace: int(c.MaxNamespace), MaxQuery: int(c.MaxQuery),
			// A packet and its attachments may be twice as long as one message.
			MaxPending: 2 * int(c.MaxPayload),
		},
		MaxRoom: int(c.MaxRoom), MaxRooms: c.MaxRooms, MaxNamespaces: c.MaxNamespaces,
		Mailbox: c.Mailbox, MaxDynamic: c.MaxDynamicNamespaces, KeepEmptyNamespaces: c.KeepEmptyNamespaces,
		Recovery: node.Recovery{
			Enabled: r.Enabled, Window: r.Window, SkipMiddleware: r.SkipMiddleware, MaxBytes: int(r.MaxBytes),
			ReplayEvents: r.ReplayEvents, ReplayBytes: int(r.ReplayBytes),
			SessionEvents: r.SessionEvents, SessionBytes: int(r.SessionBytes), MaxWaiting: r.MaxWaiting,
		},
		LogDown:    logDown[r.LogDown],
		CompatSeed: c.Compat.Seed,
	}
}

var logDown = map[string]node.LogDown{"wait": node.LogDownWait, "live": node.LogDownLive}

// Transport is the configuration of the Engine.IO layer alone.
func (c *Config) Transport() transport.Config {
	t := transport.Config{
		Path: c.Path, Shards: c.Shards,
		PingInterval: c.PingInterval, PingTimeout: c.PingTimeout, UpgradeTimeout: c.UpgradeTimeout,
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, CloseTimeout: c.CloseTimeout, PollTimeout: c.PollTimeout,
		MaxPayload: int(c.MaxPayload), MaxSessions: c.MaxConnections,
		Transports: c.Transports, DisableUpgrades: !c.Upgrades, DisableEIO3: !c.EIO3, JSONP: c.JSONP,
		Compression:       transport.Compression{Disabled: !c.Compression.Enabled, Threshold: int(c.Compression.Threshold)},
		PerMessageDeflate: transport.PerMessageDeflate{Enabled: c.Deflate.Enabled, Threshold: int(c.Deflate.Threshold)},
		CORS: transport.CORS{
			Origins: c.CORS.Origins, Credentials: c.CORS.Credentials, InsecureAnyOrigin: c.CORS.InsecureAnyOrigin,
			Methods: c.CORS.Methods, Headers: c.CORS.Headers,
		},
		Events:         transport.EventLimit{PerSecond: c.EventRate, MaxPause: c.EventPause},
		TrustedProxies: c.proxies(), Subprotocols: c.Subprotocols,
		Queue: transport.Queue{
			MaxBytes: int(c.Queue.MaxBytes), MaxMessages: c.Queue.MaxMessages, Policy: transport.Policy(c.Queue.Policy),
		},
		Inbox: transport.Inbox{MaxMessages: c.Queue.InboxMessages, MaxBytes: int(c.Queue.InboxBytes)},
	}
	if c.EventRate > 0 {
		t.Events.Burst = c.EventBurst
	}
	if c.HandshakesBounded() {
		t.Handshakes = transport.RateLimit{PerSecond: c.HandshakeRate, Burst: c.HandshakeBurst}
	}
	if c.Cookie.Name != "" {
		t.Cookie = &transport.Cookie{
			Name: c.Cookie.Name, Path: c.Cookie.Path, Domain: c.Cookie.Domain,
			MaxAge: c.Cookie.MaxAge, Secure: c.Cookie.Secure, SameSite: sameSite[c.Cookie.SameSite],
		}
	}
	if name := c.PrincipalCookie; name != "" {
		t.Principal = func(r *http.Request) string {
			if ck, err := r.Cookie(name); err == nil {
				return ck.Value
			}
			return ""
		}
	}
	return t
}

// HandshakesBounded reports whether the handshakes of one address are bounded.
func (c *Config) HandshakesBounded() bool { return c.HandshakeRate > 0 && c.knowsAddresses() }

// knowsAddresses reports whether the addresses of clients can be told (R9).
func (c *Config) knowsAddresses() bool { return c.Direct || len(c.TrustedProxies) > 0 }

// proxies are the trusted proxies; Reader.Read has checked them.
func (c *Config) proxies() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range c.TrustedProxies {
		if p, err := parsePrefix(s); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// parsePrefix reads a network, or an address, which is a network of one.
func parsePrefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Prefix(ip.BitLen())
	}
	return netip.ParsePrefix(s)
}

var sameSite = map[string]http.SameSite{
	"lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode, "none": http.SameSiteNoneMode,
}

// LogLevels are the least levels of the server and of its transport.
func (c *Config) LogLevels() (server, transport slog.Level) {
	server = levels[c.Log.Level]
	if c.Log.Transport == "" {
		return server, server
	}
	return server, levels[c.Log.Transport]
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}
