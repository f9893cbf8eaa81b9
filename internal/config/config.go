package config

import "time"

// Config is everything that an operator can set. A field's tags are its row in
// the table:
//
//   - json: its key, joined with dots through the sections; doc: what it does;
//     reload: whether a running server takes a change over ("live") or not
//     ("restart").
//   - group: the heading under which the fields of a struct are documented.
//   - values: what is allowed. max: the largest number.
//   - zero: what 0 means, empty: what an empty text or list means. Without
//     them 0, and empty, is refused.
//
// A struct without a key is a heading only; one with a key is a section of the
// file.
type Config struct {
	Listeners `group:"Listeners"`
	Clients   `group:"Clients and transports"`
	Timeouts  `group:"Heartbeats and time-outs"`
	Limits    `group:"Limits"`
	Rates     `group:"Rate limits"`

	Cluster     `group:"Cluster"`
	NATS        NATS        `json:"nats" group:"NATS"`
	Queue       Queue       `json:"queue" group:"Queues, and slow clients"`
	Recovery    Recovery    `json:"recovery" group:"Connection state recovery"`
	CORS        CORS        `json:"cors" group:"Pages of other sites"`
	Cookie      Cookie      `json:"cookie" group:"Cookie with the session id"`
	Compression Compression `json:"compression" group:"Compression of polling answers"`
	Deflate     Deflate     `json:"per_message_deflate" group:"Compression of WebSocket messages"`
	Compat      Compat      `json:"compat" group:"Compatibility"`
	Log         Log         `json:"log" group:"Log"`
}

// Listeners is where the server is reached and what it serves there.
type Listeners struct {
	Listen         string   `json:"listen" doc:"Address for clients." reload:"restart"`
	InternalListen string   `json:"internal_listen" empty:"off" doc:"Address for probes, metrics and profiles: /livez, /readyz, /startupz, /metrics, /debug/pprof. Clients must not reach it." reload:"restart"`
	InternalToken  Secret   `json:"internal_token" empty:"none is asked for" doc:"Bearer token that /metrics and /debug/pprof ask for." reload:"restart"`
	Path           string   `json:"path" doc:"Path of the Socket.IO endpoint, with both slashes." reload:"restart"`
	Namespaces     []string `json:"namespaces" doc:"Namespaces that clients may enter; a name that ends in * stands for all that begin like it." reload:"restart"`
	Static         string   `json:"static" empty:"none" doc:"Directory of files to serve beside the endpoint." reload:"restart"`
	ClientBundle   string   `json:"client_bundle" empty:"none" doc:"Directory with the dist files of the npm package socket.io-client; its scripts are served below the endpoint's path, such as /socket.io/socket.io.js." reload:"restart"`
	Shards         int      `json:"shards" max:"4096" zero:"one for each processor" doc:"Number of writers that connections are spread over." reload:"restart"`
}

// Clients says which clients are served, and over what.
type Clients struct {
	Transports      []string `json:"transports" values:"polling,websocket" doc:"Transports that clients may use." reload:"restart"`
	Upgrades        bool     `json:"upgrades" doc:"Let clients move from polling to WebSocket." reload:"restart"`
	EIO3            bool     `json:"eio3" doc:"Serve clients of the 1.x and 2.x lines (Engine.IO 3)." reload:"restart"`
	JSONP           bool     `json:"jsonp" doc:"Serve polling by script tags, for browsers that cannot do CORS." reload:"restart"`
	Subprotocols    []string `json:"subprotocols" empty:"none" doc:"WebSocket subprotocols to agree to when a client asks for one." reload:"restart"`
	PrincipalCookie string   `json:"principal_cookie" empty:"no check" doc:"Name of a cookie of yours that all requests of a polling session must repeat unchanged, so that a stolen session id is of no use." reload:"restart"`
}

// Timeouts bound every wait.
type Timeouts struct {
	PingInterval      time.Duration `json:"ping_interval" doc:"Time between heartbeats." reload:"restart"`
	PingTimeout       time.Duration `json:"ping_timeout" doc:"Time for the answer to a heartbeat." reload:"restart"`
	ConnectTimeout    time.Duration `json:"connect_timeout" doc:"Time for a new connection to enter a namespace." reload:"restart"`
	UpgradeTimeout    time.Duration `json:"upgrade_timeout" doc:"Time for a move from polling to WebSocket." reload:"restart"`
	AckTimeout        time.Duration `json:"ack_timeout" doc:"Time for a client's acknowledgement where the caller sets none." reload:"restart"`
	ReadHeaderTimeout time.Duration `json:"read_header_timeout" doc:"Time for the header of a request." reload:"restart"`
	ReadTimeout       time.Duration `json:"read_timeout" doc:"Time between two bytes of one message, and of the body of a POST." reload:"restart"`
	WriteTimeout      time.Duration `json:"write_timeout" doc:"Time for one write to a slow connection." reload:"restart"`
	CloseTimeout      time.Duration `json:"close_timeout" doc:"Time for a client to answer the end of its WebSocket." reload:"restart"`
	PollTimeout       time.Duration `json:"poll_timeout" doc:"Time for a polling client to fetch the end of its session." reload:"restart"`
	IdleTimeout       time.Duration `json:"idle_timeout" doc:"Time that an HTTP connection may wait for its next request." reload:"restart"`
	ReadyTimeout      time.Duration `json:"ready_timeout" doc:"Time that /readyz gives the backplane to carry a test message." reload:"restart"`
	ShutdownDelay     time.Duration `json:"shutdown_delay" zero:"at once" doc:"Time between /readyz turning red and the end of the first connection, for load balancers to notice." reload:"restart"`
	ShutdownTimeout   time.Duration `json:"shutdown_timeout" doc:"Time for connections and handlers to end before they are cut." reload:"restart"`
}

// Limits bound what clients may ask for.
type Limits struct {
	MaxPayload           Size `json:"max_payload" doc:"Largest message from a client, on every transport." reload:"restart"`
	MaxConnections       int  `json:"max_connections" zero:"no bound" doc:"Most sessions at a time; further clients get 503 and a time to come again." reload:"restart"`
	MaxHeader            Size `json:"max_header" doc:"Largest header of a request." reload:"restart"`
	MaxAttachments       int  `json:"max_attachments" doc:"Most binary attachments of one packet." reload:"restart"`
	MaxArguments         int  `json:"max_arguments" doc:"Most arguments of one event or acknowledgement." reload:"restart"`
	MaxDepth             int  `json:"max_depth" max:"10000" doc:"Most arrays and objects around a value of an event." reload:"restart"`
	MaxEvent             Size `json:"max_event" doc:"Longest name of an event." reload:"restart"`
	MaxNamespace         Size `json:"max_namespace" doc:"Longest name of a namespace." reload:"restart"`
	MaxQuery             Size `json:"max_query" doc:"Longest query that a client of 1.x or 2.x may add to a namespace." reload:"restart"`
	MaxRoom              Size `json:"max_room" max:"4096" doc:"Longest name of a room." reload:"restart"`
	MaxRooms             int  `json:"max_rooms" doc:"Most rooms that one socket may be in." reload:"restart"`
	MaxNamespaces        int  `json:"max_namespaces" doc:"Most namespaces that one connection may enter." reload:"restart"`
	MaxDynamicNamespaces int  `json:"max_dynamic_namespaces" doc:"Most namespaces that names ending in * may bring into being." reload:"restart"`
	KeepEmptyNamespaces  bool `json:"keep_empty_namespaces" doc:"Keep such a namespace when its last client has left." reload:"restart"`
	Mailbox              int  `json:"mailbox" doc:"Events of one socket that may wait for its handlers before reading from it pauses. It pauses, too, before more bytes wait than max_payload, or 1MB if that is more." reload:"restart"`
}

// Rates bound how often clients may do something.
type Rates struct {
	EventRate      float64       `json:"event_rate" zero:"no bound" doc:"Messages a second that one connection may send; a faster one is slowed down." reload:"restart"`
	EventBurst     int           `json:"event_burst" zero:"one second's worth" doc:"Messages that it may send at once." reload:"restart"`
	EventPause     time.Duration `json:"event_pause" doc:"How long a connection is slowed down before it is closed." reload:"restart"`
	HandshakeRate  float64       `json:"handshake_rate" zero:"no bound" doc:"New connections a second of one address (of IPv6, one /64); further ones get 503 and a time to come again. In effect only with trusted_proxies or direct: behind any other proxy all clients seem to have one address." reload:"restart"`
	HandshakeBurst int           `json:"handshake_burst" zero:"one second's worth" doc:"New connections of one address at once." reload:"restart"`
	TrustedProxies []string      `json:"trusted_proxies" empty:"none" doc:"Addresses of proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed, such as 10.0.0.0/8. Behind a proxy that ends TLS, pages of the server's own origin need it, too." reload:"restart"`
	Direct         bool          `json:"direct" doc:"Say that clients connect without a proxy in between." reload:"restart"`
}

// Queue bounds what waits on the way to clients, and says what happens to those
// that read slowly.
type Queue struct {
	MaxBytes    Size   `json:"max_bytes" doc:"Most bytes that may wait for one client." reload:"restart"`
	MaxMessages int    `json:"max_messages" doc:"Most messages that may wait for one client." reload:"restart"`
	Policy      string `json:"policy" values:"disconnect,drop-oldest" doc:"What happens at these bounds: the client is disconnected and may recover, or its oldest messages are dropped." reload:"restart"`

	InboxMessages int  `json:"inbox_messages" doc:"Most messages that may wait for one of the writers (see shards), each counted once however many clients it is for. Beyond it whoever emits waits, and volatile events are dropped." reload:"restart"`
	InboxBytes    Size `json:"inbox_bytes" doc:"Most bytes of these." reload:"restart"`
}

// Recovery is what clients get back after a lost connection.
type Recovery struct {
	Enabled        bool          `json:"enabled" doc:"Let clients come back with the same id, rooms and data, and get what they missed." reload:"restart"`
	Window         time.Duration `json:"window" doc:"Time that a session waits for its client." reload:"restart"`
	LogDown        string        `json:"log_down" values:"wait,live" doc:"What happens to a durable event while the store takes no writes: it waits up to 20s, or it is delivered at once to who is connected, is not stored, and clients that were away are let in anew." reload:"restart"`
	SkipMiddleware bool          `json:"skip_middleware" doc:"Let a recovering client in without asking the middleware again." reload:"restart"`
	MaxBytes       Size          `json:"max_bytes" doc:"Memory for past events, over all clients." reload:"restart"`
	ReplayEvents   int           `json:"replay_events" doc:"Most events that a client may have missed." reload:"restart"`
	ReplayBytes    Size          `json:"replay_bytes" doc:"Most bytes that a client may have missed." reload:"restart"`
	SessionEvents  int           `json:"session_events" doc:"Most events sent to one client alone that are kept for it." reload:"restart"`
	SessionBytes   Size          `json:"session_bytes" doc:"Most bytes of these." reload:"restart"`
	MaxWaiting     int           `json:"max_waiting" doc:"Most sessions that wait for their clients; beyond it the one that has waited longest ends." reload:"restart"`
}

// CORS says which other sites' pages may connect.
type CORS struct {
	Origins           []string `json:"origins" empty:"the server's own origin only" doc:"Origins whose pages may connect, such as https://app.example.com, https://*.example.com, or * for all." reload:"restart"`
	Credentials       bool     `json:"credentials" doc:"Let them send cookies and HTTP authentication." reload:"restart"`
	InsecureAnyOrigin bool     `json:"insecure_any_origin" doc:"Accept * together with credentials: every site may then act as its visitors." reload:"restart"`
	Methods           []string `json:"methods" empty:"GET and POST" doc:"Methods named in the answer to a preflight." reload:"restart"`
	Headers           []string `json:"headers" empty:"those that the request asks for" doc:"Headers named in the answer to a preflight." reload:"restart"`
}

// Cookie is the cookie that a handshake sets, for balancers that need one.
type Cookie struct {
	Name     string        `json:"name" empty:"no cookie" doc:"Name of a cookie that carries the session id." reload:"restart"`
	Path     string        `json:"path" doc:"Its path." reload:"restart"`
	Domain   string        `json:"domain" empty:"the host alone" doc:"Its domain." reload:"restart"`
	MaxAge   time.Duration `json:"max_age" zero:"until the browser closes" doc:"How long browsers keep it." reload:"restart"`
	Secure   bool          `json:"secure" doc:"Send it over TLS only; always on where TLS ends in this server." reload:"restart"`
	SameSite string        `json:"same_site" values:"lax,strict,none" doc:"Whether other sites' requests carry it; none needs secure." reload:"restart"`
}

// Compression of polling answers.
type Compression struct {
	Enabled   bool `json:"enabled" doc:"Compress answers to polls by gzip or deflate." reload:"restart"`
	Threshold Size `json:"threshold" doc:"Smallest answer that is compressed." reload:"restart"`
}

// Deflate is the compression of WebSocket messages.
type Deflate struct {
	Enabled   bool `json:"enabled" doc:"Compress WebSocket messages for clients that offer it (permessage-deflate)." reload:"restart"`
	Threshold Size `json:"threshold" doc:"Smallest message that is compressed." reload:"restart"`
}

// Compat selects the behaviour of other servers.
type Compat struct {
	Seed bool `json:"seed" doc:"Start from the defaults of python-socketio 1.x: all origins, cookie io, 60s ping time-out, messages of 100MB, 401 for a refused connection." reload:"restart"`
}

// Log says what is logged and how.
type Log struct {
	Level     string `json:"level" values:"debug,info,warn,error" doc:"Least level that is logged." reload:"live"`
	Transport string `json:"transport" values:"debug,info,warn,error" empty:"as log.level" doc:"The same for the transport alone." reload:"live"`
	Format    string `json:"format" values:"auto,json,text" doc:"Form of the lines; auto is text on a terminal and JSON elsewhere." reload:"restart"`
}
