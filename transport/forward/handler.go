package forward

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// hopKey marks the context of a request that another node forwarded.
type hopKey struct{}

func markForwarded(ctx context.Context) context.Context {
	return context.WithValue(ctx, hopKey{}, true)
}

func isForwarded(ctx context.Context) bool { return ctx.Value(hopKey{}) != nil }

// Handler returns what a node serves at Path on its internal listener: requests
// of other nodes are checked and handed to h as their clients made them. h is
// the engine or node.Server, with the middleware that its functions rely upon:
// it gets the URL that it has on the clients' listener, prefixes stripped.
//
// The server has to speak Protocols, and to take headers of about 1 KiB more
// than the clients' one, more if clients send certificates. Its ReadTimeout and
// WriteTimeout do not end polls; an IdleTimeout should be 30s or more.
func (f *Forwarder) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, h) })
}

func (f *Forwarder) serve(w http.ResponseWriter, r *http.Request, h http.Handler) {
	// Who knows no secret learns nothing, not even which boot this is.
	switch pass, to := r.Header.Get(headPass), r.Header.Get(headTo); {
	case f.keys.ok(pass):
	case to != f.self && f.keys.okFor(pass, to):
		f.refuse(w, r, http.StatusMisdirectedRequest, refusedTo, HomeUnknown, errors.New("for a boot that had this address before"))
		return
	default:
		f.refuse(w, r, http.StatusUnauthorized, refusedPass, RefusedSecret, errors.New("the pass is not made of one of our secrets"))
		return
	}
	if v := r.Header.Get(headVersion); v != version {
		f.refuse(w, r, http.StatusNotImplemented, refusedRequest, RefusedRequest, errors.New("version "+clip(v)))
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		f.refuse(w, r, http.StatusMethodNotAllowed, refusedRequest, RefusedRequest, errors.New("method "+clip(r.Method)))
		return
	}
	in, err := incoming(r)
	if err != nil {
		f.refuse(w, r, http.StatusBadRequest, refusedRequest, RefusedRequest, err)
		return
	}
	// A server's WriteTimeout counts from the request, and ends a stream of
	// HTTP/2 even if nothing was written. The engine sets deadlines of its own.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	f.served.add(Forwarded)
	h.ServeHTTP(&answer{ResponseWriter: w}, in)
}

// refuse answers a request that no client made.
func (f *Forwarder) refuse(w http.ResponseWriter, r *http.Request, status int, why string, result Result, err error) {
	f.served.add(result)
	if f.logServed.ok() {
		f.cfg.Logger.Warn("refused a request at the internal listener", "result", string(result), "peer", r.RemoteAddr, "err", err)
	}
	w.Header().Set(headRefused, why)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

// answer marks a response as a home's, and has the first node close the
// client's connection where the engine asks for it: in HTTP/2 "Connection:
// close" would end the connection between the nodes, with the requests of all
// others.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if !a.begun && status >= 200 {
		a.begun = true
		h := a.Header()
		h.Set(headVersion, version)
		for _, v := range h["Connection"] {
			if strings.EqualFold(v, "close") {
				h.Set(headClose, "1")
			}
		}
		delete(h, "Connection")
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController.
func (a *answer) FlushError() error {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController find the rest of the writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// clip shortens what a peer sent for a log.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
