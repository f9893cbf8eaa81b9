package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// options are the flags. They have the names of siod's own.
type options struct {
	listen, app    string
	connectTimeout time.Duration
	recovery       bool
	recoveryWindow time.Duration
	eio3           bool
	compression    bool
	transport      transport.Config
}

func addFlags(fs *pflag.FlagSet) *options {
	o := &options{}
	t := &o.transport
	fs.StringVar(&o.listen, "listen", "127.0.0.1:3000", "address for clients")
	fs.StringVar(&o.app, "app", "bench", "handlers: bench, engine, protocol, echo, interop")
	fs.DurationVar(&o.connectTimeout, "connect-timeout", 0, "time to enter a namespace (default 20s)")
	fs.DurationVar(&t.PingInterval, "ping-interval", 0, "time between heartbeats (default 25s)")
	fs.DurationVar(&t.PingTimeout, "ping-timeout", 0, "time for a heartbeat's answer (default 20s)")
	fs.DurationVar(&t.UpgradeTimeout, "upgrade-timeout", 0, "time for an upgrade (default 10s)")
	fs.IntVar(&t.MaxPayload, "max-payload", 0, "largest message in bytes (default 1000000)")
	fs.StringSliceVar(&t.Transports, "transports", nil, "polling, websocket or both (default both)")
	fs.BoolVar(&o.eio3, "eio3", true, "serve clients of the 1.x and 2.x lines")
	fs.BoolVar(&t.JSONP, "jsonp", false, "serve JSONP polling")
	fs.BoolVar(&o.recovery, "recovery", false, "connection state recovery")
	fs.DurationVar(&o.recoveryWindow, "recovery-window", 0, "how long a session waits for its client (default 2m)")
	fs.StringSliceVar(&t.CORS.Origins, "cors-origins", nil, "other origins that are allowed")
	fs.BoolVar(&t.CORS.Credentials, "cors-credentials", false, "allow cookies in cross-origin requests")
	fs.BoolVar(&o.compression, "compression", true, "compress polling responses")
	fs.BoolVar(&t.PerMessageDeflate.Enabled, "per-message-deflate", false, "compress WebSocket messages")
	fs.IntVar(&t.MaxSessions, "max-connections", 0, "most sessions at a time (default no bound)")
	return o
}

func (o *options) transportConfig() transport.Config {
	t := o.transport
	t.DisableEIO3 = !o.eio3
	t.Compression.Disabled = !o.compression
	return t
}

func (o *options) nodeConfig() node.Config {
	return node.Config{
		Transport: o.transportConfig(), ConnectTimeout: o.connectTimeout,
		Recovery: node.Recovery{Enabled: o.recovery, Window: o.recoveryWindow},
	}
}
