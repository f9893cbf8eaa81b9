package transport

// Reason says why a session ended. The texts are those that Socket.IO
// applications know from the "disconnect" event, so that a handler ported from
// another server keeps comparing the same strings.
type Reason string

const (
	// ReasonTransportClose: the client closed the connection or it was cut.
	ReasonTransportClose Reason = "transport close"
	// ReasonTransportError: the connection failed, or the client broke a rule
	// of the transport (a second poll while one is pending, say).
	ReasonTransportError Reason = "transport error"
	// ReasonPingTimeout: no sign of life within the heartbeat's bounds.
	ReasonPingTimeout Reason = "ping timeout"
	// ReasonParseError: the client sent what cannot be decoded.
	ReasonParseError Reason = "parse error"
	// ReasonForcedClose: the server closed the session.
	ReasonForcedClose Reason = "forced close"
	// ReasonServerShutdown: the engine is shutting down.
	ReasonServerShutdown Reason = "server shutting down"
	// ReasonSlowConsumer: the client read too slowly and its queue hit the
	// bound. The session can be recovered, which replays what it missed.
	ReasonSlowConsumer Reason = "slow consumer"
	// ReasonRateLimit: the client sent more than it may.
	ReasonRateLimit Reason = "rate limit"
	// ReasonClientNamespace and ReasonServerNamespace end one namespace of a
	// session, not the session; they are here so that all reasons are one type.
	ReasonClientNamespace Reason = "client namespace disconnect"
	ReasonServerNamespace Reason = "server namespace disconnect"
)

// reasons lists every reason that can end a session, for counters whose label
// must come from a closed set.
var reasons = [...]Reason{
	ReasonTransportClose, ReasonTransportError, ReasonPingTimeout, ReasonParseError,
	ReasonForcedClose, ReasonServerShutdown, ReasonSlowConsumer, ReasonRateLimit,
}

// closeCode is the status of the WebSocket close frame (RFC 6455, 7.4.1). An
// Engine.IO server sends none but where it tells the client more than "closed".
func (r Reason) closeCode() uint16 {
	switch r {
	case ReasonServerShutdown:
		return 1012 // service restart: come back, elsewhere or later
	case ReasonRateLimit:
		return 1008 // policy
	}
	return 0
}

// index is the reason's place in reasons. Reasons of the application's own are
// counted as forced closes.
func (r Reason) index() int {
	for i, x := range reasons {
		if x == r {
			return i
		}
	}
	return 4
}
