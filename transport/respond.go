package transport

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// respond writes a polling payload.
func (e *Engine) respond(w http.ResponseWriter, r *http.Request, contentType string, body []byte, compress bool) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	if contentType == typeScript {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	e.responseHeaders(h, r)
	if compress && !e.cfg.Compression.Disabled && len(body) >= e.cfg.Compression.Threshold {
		h.Add("Vary", "Accept-Encoding")
		z := getBuffer()
		defer putBuffer(z)
		if enc, ok := compressBody(z, r.Header["Accept-Encoding"], body); ok {
			h.Set("Content-Encoding", enc)
			body = z.b
		}
	}
	err := e.write(w, http.StatusOK, body)
	if err == nil {
		e.stats.bytesSent.Add(uint64(len(body)))
	}
	return err
}

// write writes a response and its body to the client. It has a deadline of its
// own, since the server may have none, and does not leave it to the next
// request on the connection, which may be another handler's.
func (e *Engine) write(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(e.cfg.WriteTimeout))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return err
	}
	// To learn now whether the client can be reached. A middleware's writer that
	// cannot flush says nothing about the client.
	if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_ = rc.SetWriteDeadline(time.Time{})
	return nil
}

// responseHeaders adds what every response carries, the 101 of a WebSocket
// included.
func (e *Engine) responseHeaders(h http.Header, r *http.Request) {
	e.corsHeaders(h, r)
	if ua := r.Header.Get("User-Agent"); strings.Contains(ua, ";MSIE") || strings.Contains(ua, "Trident/") {
		// Old Internet Explorers take a payload for an attack otherwise.
		h.Set("X-XSS-Protection", "0")
	}
	if e.cfg.Headers != nil {
		e.cfg.Headers(h, r)
	}
}
