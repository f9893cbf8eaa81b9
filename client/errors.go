package client

import (
	"errors"
	"fmt"

	"github.com/siod-io/siod/protocol"
)

// Errors a caller may branch on.
var (
	// ErrClosed is returned once the client was closed, or gave up
	// reconnecting.
	ErrClosed = errors.New("client: closed")

	// ErrNotConnected is returned by a socket that was never connected, was
	// refused, or was disconnected by either side.
	ErrNotConnected = errors.New("client: not connected to the namespace")

	// ErrDisconnected is returned by a call whose answer cannot come any more,
	// because the connection it was sent on has ended.
	ErrDisconnected = errors.New("client: disconnected before the answer")

	// ErrNoAck is returned by Event.Ack if the server asked for no answer, or
	// got one already.
	ErrNoAck = errors.New("client: no answer asked for")

	// ErrReserved is returned for event names that are not sent, see
	// protocol.IsReserved.
	ErrReserved = errors.New("client: reserved event name")

	errParse     = errors.New("client: bad packet from the server")
	errTransport = errors.New("client: transport")
	errOverflow  = errors.New("client: too many events wait for their handlers")
)

// ConnectError is the server's refusal of a namespace.
type ConnectError struct {
	Namespace string
	Message   string

	// Data is what the server attached, raw JSON; nil if nothing.
	Data []byte
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("client: connect to %s: %s", e.Namespace, e.Message)
}

// HTTPError is an answer of the server that is not 200, or 101 for WebSocket.
type HTTPError struct {
	Status int

	// Code and Message are those of an Engine.IO error body: 0 transport
	// unknown, 1 session unknown, 2 bad method, 3 bad request, 4 forbidden, 5
	// unsupported revision. Code is -1 if there is none.
	Code    int
	Message string
}

func (e *HTTPError) Error() string {
	if e.Code < 0 {
		return fmt.Sprintf("client: HTTP status %d", e.Status)
	}
	return fmt.Sprintf("client: HTTP status %d: %s (%d)", e.Status, e.Message, e.Code)
}

// parseHTTPError reads an Engine.IO error body, if it is one.
func parseHTTPError(status int, body []byte) *HTTPError {
	e := &HTTPError{Status: status, Code: -1}
	var v struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	}
	if protocol.JSON.DecodeValue(body, nil, &v) == nil && v.Code != nil {
		e.Code, e.Message = *v.Code, v.Message
	}
	return e
}

// Reason is why a socket was disconnected, in the words of the JavaScript
// client.
type Reason string

// The reasons. Only after the first two does the client not connect again by
// itself.
const (
	ServerDisconnect Reason = "io server disconnect"
	ClientDisconnect Reason = "io client disconnect"
	PingTimeout      Reason = "ping timeout"
	TransportClose   Reason = "transport close"
	TransportError   Reason = "transport error"
	ParseError       Reason = "parse error"

	// EventOverflow is not known to the JavaScript client: more events waited
	// than Config.EventQueue allows while an answer was awaited.
	EventOverflow Reason = "event overflow"
)
