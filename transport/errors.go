package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// Code is the number of an Engine.IO error, as it stands in the body of a
// refused request: {"code":1,"message":"Session ID unknown"}.
type Code int

// The codes of the Engine.IO protocol.
const (
	CodeTransportUnknown Code = iota
	CodeSessionUnknown
	CodeBadMethod
	CodeBadRequest
	CodeForbidden
	CodeUnsupportedVersion
)

var codeMessages = [...]string{
	CodeTransportUnknown:   "Transport unknown",
	CodeSessionUnknown:     "Session ID unknown",
	CodeBadMethod:          "Bad handshake method",
	CodeBadRequest:         "Bad request",
	CodeForbidden:          "Forbidden",
	CodeUnsupportedVersion: "Unsupported protocol version",
}

func (c Code) String() string {
	if c < 0 || int(c) >= len(codeMessages) {
		return "Code(" + strconv.Itoa(int(c)) + ")"
	}
	return codeMessages[c]
}

// RequestError says why a request was refused. Only the code and its message
// reach the client; Context is for operators.
type RequestError struct {
	Code    Code
	Message string // sent instead of the code's own message, if not empty
	Context string
	Status  int // of the response if not the code's own
	Request *http.Request
}

// Error implements error.
func (e *RequestError) Error() string {
	return fmt.Sprintf("transport: request refused: %s (%s)", e.message(), e.Context)
}

func (e *RequestError) message() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Code.String()
}

func (e *RequestError) status() int {
	switch {
	case e.Status != 0:
		return e.Status
	case e.Code == CodeForbidden:
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

func errFull(context string) *RequestError {
	return &RequestError{Code: CodeForbidden, Status: http.StatusServiceUnavailable, Message: "Server is full", Context: context}
}

func errTooMany() *RequestError {
	return &RequestError{Code: CodeForbidden, Status: http.StatusServiceUnavailable, Message: "Too many handshakes", Context: "Handshakes limit of the address"}
}

// refuse answers a request that does not reach a session.
func (e *Engine) refuse(w http.ResponseWriter, r *http.Request, re *RequestError) {
	re.Request = r
	e.stats.refuse(re)
	if e.cfg.OnRefused != nil {
		e.cfg.OnRefused(re)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	e.responseHeaders(h, r)
	if isUpgrade(r) || hasBody(r) {
		// What may be left of the request must not be taken for the next.
		h.Set("Connection", "close")
	}
	switch re.Status {
	case http.StatusServiceUnavailable:
		// Spread, so that those who were refused together do not come back
		// together.
		h.Set("Retry-After", strconv.Itoa(1+rand.IntN(10)))
	case http.StatusUpgradeRequired: // RFC 6455, 4.4
		h.Set("Sec-WebSocket-Version", "13")
	}
	body := append([]byte(`{"code":`), strconv.Itoa(int(re.Code))...)
	body = append(body, `,"message":`...)
	body = appendJSONString(body, re.message())
	_ = e.write(w, re.status(), append(body, '}'))
}

// appendJSONString quotes s, which may hold an application's text.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, fmt.Sprintf(`\u%04x`, r)...)
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

// errPanicked is what a client is told of a handler that panicked.
var errPanicked = &RequestError{Code: CodeForbidden, Status: http.StatusInternalServerError, Message: "Internal error", Context: "the handler panicked"}

// refusedByHandler is what a client is told of an error of Handler.Open, which
// may itself be a *RequestError that says how to answer.
func refusedByHandler(err error) *RequestError {
	if re := requestError(err); re != nil {
		return re
	}
	return &RequestError{Code: CodeForbidden, Message: err.Error(), Context: "refused by the handler"}
}

// refusedByForwarder is what a client is told of an error of Config.Foreign.
func refusedByForwarder(err error) *RequestError {
	if re := requestError(err); re != nil {
		return re
	}
	return &RequestError{Code: CodeSessionUnknown, Context: err.Error()}
}

// requestError returns a copy of the *RequestError in err, or nil: whoever made
// it may return the same one every time.
func requestError(err error) *RequestError {
	re, ok := errors.AsType[*RequestError](err)
	if !ok {
		return nil
	}
	own := *re
	return &own
}
