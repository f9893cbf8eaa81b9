package transport

import (
	"context"
	"net/http"
)

// Forwarder has requests answered by the node that their session lives on, so
// that a balancer may send any request to any node. Package transport/forward
// implements it over HTTP/2.
//
// The engine has checked transport and Origin of the request, and of a
// WebSocket its handshake. All else is the home's to check, as it is for
// requests that clients send to it, and so are all headers of the response. The
// request's context ends when the client is gone, or with
// context.DeadlineExceeded when no answer can be expected any more.
//
// An error says that nothing was written: the engine then refuses the request,
// as a *RequestError says, else with code 1. Nil means that the request needs
// nothing more; if the response broke in the middle, the method ends with
// panic(http.ErrAbortHandler), as http.Handlers do, so that the client cannot
// take a part for the whole.
type Forwarder interface {
	// Forward has a poll or a POST answered by the node that token stands for,
	// and returns when the response is written.
	Forward(w http.ResponseWriter, r *http.Request, token string) error

	// Tunnel has that node answer the handshake of an upgrade to WebSocket. If
	// the node accepts it, the connection is tunnelled to it from then on, and
	// Tunnel returns.
	Tunnel(w http.ResponseWriter, r *http.Request, token string) error
}

// foreign reports whether a session that is not here may be on another node.
func (e *Engine) foreign(sid string) bool {
	n := len(e.cfg.Token)
	return e.cfg.Foreign != nil && n > 0 && len(sid) > n && sid[:n] != e.cfg.Token
}

// serveForeign has the session's home answer. The wait for it ends when the
// session must have ended there: a poll waits for PingInterval plus PingTimeout
// at most, and one that fetches the end of a session comes PollTimeout later at
// most.
func (e *Engine) serveForeign(w http.ResponseWriter, r *http.Request, q *query) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		e.badMethod(w, r)
		return
	}
	pass := e.cfg.Foreign.Forward
	if q.transport == WebSocket {
		if _, re := webSocketAccept(r); re != nil {
			e.refuse(w, r, re)
			return
		}
		pass = e.cfg.Foreign.Tunnel
	}
	ctx, cancel := context.WithTimeout(r.Context(), e.timing.interval+e.timing.timeout+e.timing.linger)
	defer cancel()
	if err := pass(w, r.WithContext(ctx), q.home); err != nil {
		e.refuse(w, r, refusedByForwarder(err))
	}
}
