package badinput

// Flags of the program under test, in one place.
const (
	app               = "--app"
	pingInterval      = "--ping-interval"
	pingTimeout       = "--ping-timeout"
	connectTimeout    = "--connect-timeout"
	upgradeTimeout    = "--upgrade-timeout"
	readTimeout       = "--read-timeout"
	readHeaderTimeout = "--read-header-timeout"
	closeTimeout      = "--close-timeout"
	maxPayload        = "--max-payload"
	maxSessions       = "--max-connections"
	jsonp             = "--jsonp"
	perMessageDeflate = "--per-message-deflate"
	corsOrigins       = "--cors-origins"
	corsCredentials   = "--cors-credentials"
	direct            = "--direct"
	trustedProxies    = "--trusted-proxies"
	handshakeRate     = "--handshake-rate"
	logLevel          = "--log-level"
)

// Metrics that rows look at.
const sessionsMetric = "siod_connections"
