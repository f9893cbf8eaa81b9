package config

import "time"

// Default is what siod serve begins with.
func Default() Config {
	return Config{
		Listeners: Listeners{
			Listen: "127.0.0.1:3000", InternalListen: "127.0.0.1:3001",
			Path: "/socket.io/", Namespaces: []string{"/"},
		},
		Clients: Clients{Transports: []string{"polling", "websocket"}, Upgrades: true, EIO3: true},
		Timeouts: Timeouts{
			PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second,
			ConnectTimeout: 20 * time.Second, UpgradeTimeout: 10 * time.Second, AckTimeout: 10 * time.Second,
			ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
			CloseTimeout: 5 * time.Second, PollTimeout: 30 * time.Second, IdleTimeout: time.Minute,
			ReadyTimeout:    800 * time.Millisecond, // under the second that Kubernetes gives a probe
			ShutdownTimeout: 10 * time.Second,
		},
		Limits: Limits{
			MaxPayload: 1_000_000, MaxHeader: 32 << 10,
			MaxAttachments: 10, MaxArguments: 10_000, MaxDepth: 64, MaxEvent: 128, MaxNamespace: 128, MaxQuery: 4 << 10,
			MaxRoom: 256, MaxRooms: 1000, MaxNamespaces: 16, MaxDynamicNamespaces: 10_000, Mailbox: 64,
		},
		Rates: Rates{EventRate: 500, EventBurst: 1000, EventPause: 5 * time.Second, HandshakeRate: 20, HandshakeBurst: 100},
		Cluster: Cluster{
			ClusterName:      "siod",
			StoreQueueEvents: 10_000, StoreQueueBytes: 64 << 20, StoreHoldEvents: 10_000, StoreHoldBytes: 16 << 20,
		},
		NATS:  NATS{Provision: true},
		Queue: Queue{MaxBytes: 1 << 20, MaxMessages: 1024, Policy: "disconnect", InboxMessages: 16_384, InboxBytes: 64 << 20},
		Recovery: Recovery{
			Enabled: true, Window: 2 * time.Minute, LogDown: "wait", MaxBytes: 256 << 20,
			ReplayEvents: 10_000, ReplayBytes: 4 << 20, SessionEvents: 256, SessionBytes: 64 << 10, MaxWaiting: 100_000,
		},
		Cookie:      Cookie{Path: "/", SameSite: "lax"},
		Compression: Compression{Enabled: true, Threshold: 1 << 10},
		Deflate:     Deflate{Threshold: 1 << 10},
		Log:         Log{Level: "info", Format: "auto"},
	}
}

// Dev is what siod dev begins with: as Default, open to pages of every origin,
// and quick to end.
func Dev() Config {
	c := Default()
	c.ShutdownTimeout = 2 * time.Second
	c.CORS.Origins = []string{"*"}
	return c
}

// seed changes the defaults to those of python-socketio 1.x (R7).
func (c *Config) seed() {
	c.Compat.Seed = true
	c.PingTimeout = time.Minute
	c.MaxPayload = 100_000_000
	c.Cookie.Name = "io"
	c.CORS.Origins = []string{"*"}
	c.CORS.Credentials, c.CORS.InsecureAnyOrigin = true, true
}
