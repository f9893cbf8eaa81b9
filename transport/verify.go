package transport

import (
	"net/http"
	"strings"

	"github.com/siod-io/siod/protocol/engineio"
)

// verify checks a request before anything is done for it, in about the order
// of the reference server, and finds the session it names. The session is nil
// for a handshake, and for one of another node, whose token is q.home then.
func (e *Engine) verify(r *http.Request, q *query) (*Session, *RequestError) {
	switch {
	case q.transport == Polling && e.polling || q.transport == WebSocket && e.ws:
	default:
		return nil, &RequestError{Code: CodeTransportUnknown, Context: "transport " + clip(q.transport)}
	}
	origin := r.Header.Get("Origin")
	if !validHeaderText(origin) {
		return nil, &RequestError{Code: CodeBadRequest, Context: "characters in Origin"}
	}
	if origin != "" && !e.originAllowed(origin, r) {
		return nil, &RequestError{Code: CodeForbidden, Context: "origin " + clip(origin) + " is not allowed: see CORS.Origins, and TrustedProxies behind a proxy"}
	}
	if r.Method == http.MethodGet && hasBody(r) {
		return nil, &RequestError{Code: CodeBadRequest, Context: "GET with a body"}
	}
	var s *Session
	var err *RequestError
	if q.sid != "" {
		s, err = e.verifySession(r, q)
	} else if r.Method != http.MethodGet {
		err = &RequestError{Code: CodeBadMethod, Context: clip(r.Method)}
	}
	if err != nil {
		return nil, err
	}
	switch upgrade := isUpgrade(r); {
	case q.transport == WebSocket && !upgrade:
		return nil, &RequestError{Code: CodeBadRequest, Context: "transport=websocket without an Upgrade header"}
	case q.transport == Polling && upgrade:
		return nil, &RequestError{Code: CodeBadRequest, Context: "transport=polling with an Upgrade header"}
	}
	if s == nil && q.home == "" {
		err = e.verifyHandshake(r, q)
	}
	return s, err
}

func (e *Engine) verifySession(r *http.Request, q *query) (*Session, *RequestError) {
	s := e.Session(q.sid)
	switch {
	case s == nil && e.foreign(q.sid):
		q.home = strings.Clone(q.sid[:len(e.cfg.Token)])
		return nil, nil
	case s == nil:
		return nil, &RequestError{Code: CodeSessionUnknown, Context: "no such session"}
	case engineio.RevisionOf(q.eio) != s.rev:
		return nil, &RequestError{Code: CodeBadRequest, Context: "EIO differs from the handshake's"}
	case e.cfg.Principal != nil && e.cfg.Principal(r) != s.handshake.Principal:
		return nil, &RequestError{Code: CodeForbidden, Context: "the session belongs to another principal"}
	}
	if !s.jsonp {
		q.jsonp = "" // only a session that began by JSONP is answered with scripts
	}
	return s, nil
}

func (e *Engine) verifyHandshake(r *http.Request, q *query) *RequestError {
	switch {
	case e.closing.Load():
		return errFull("shutting down")
	case e.cfg.MaxSessions > 0 && e.count.Load() >= int64(e.cfg.MaxSessions):
		return errFull("MaxSessions")
	case !e.handshakes.allow(e.clientIP(r.RemoteAddr, r.Header["X-Forwarded-For"]), e.now()):
		return errTooMany()
	case e.cfg.DisableEIO3 && engineio.RevisionOf(q.eio) == engineio.V3:
		return &RequestError{Code: CodeUnsupportedVersion, Context: "EIO=" + clip(q.eio) + ": a client of the 1.x or 2.x line, and DisableEIO3 is set"}
	case q.jsonp != "" && !e.cfg.JSONP:
		return &RequestError{Code: CodeBadRequest, Context: "JSONP is not enabled"}
	}
	if e.cfg.Allow != nil {
		if err := e.cfg.Allow(r); err != nil {
			return &RequestError{Code: CodeForbidden, Message: err.Error(), Context: "refused by Allow"}
		}
	}
	return nil
}

// isUpgrade reports whether the request asks for WebSocket (RFC 6455, 4.2.1).
func isUpgrade(r *http.Request) bool {
	return tokenIn(r.Header["Connection"], "upgrade") && tokenIn(r.Header["Upgrade"], "websocket")
}

// tokenIn looks for a token in comma-separated header values, ignoring case.
func tokenIn(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// validHeaderText reports whether a value that may be echoed in a header holds
// only what a header may.
func validHeaderText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f || c >= 0x80 {
			return false
		}
	}
	return true
}

// clip shortens what a client sent for a log or an error.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
