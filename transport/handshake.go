package transport

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Handshake describes the request that opened a session. It keeps the
// request's text in packed form and parses it when asked, so that an idle
// session does not pay for maps. Its methods are safe for concurrent use and
// return values that the caller may change.
type Handshake struct {
	Time       time.Time
	RemoteAddr string // of the TCP peer, "host:port"
	Host       string
	Path       string
	Secure     bool   // over TLS, to this process or to a proxy of Config.TrustedProxies
	Principal  string // see Config.Principal
	rawQuery   string
	header     string
}

func (e *Engine) newHandshake(r *http.Request) *Handshake {
	path := e.cfg.Path
	if r.URL.Path != path {
		path = strings.Clone(r.URL.Path)
	}
	// Clones: a substring would keep the request's lines alive.
	scheme, _ := e.reachedBy(r)
	h := &Handshake{
		Time: time.Now(), RemoteAddr: r.RemoteAddr, Host: strings.Clone(r.Host), Path: path, Secure: scheme == "https",
		rawQuery: strings.Clone(r.URL.RawQuery), header: packHeader(r.Header),
	}
	if e.cfg.Principal != nil {
		h.Principal = e.cfg.Principal(r)
	}
	return h
}

// Query returns the query of the handshake's URL, including the engine's own
// parameters.
func (h *Handshake) Query() url.Values {
	q, _ := url.ParseQuery(h.rawQuery)
	return q
}

// Header returns the headers of the handshake's request, without those of the
// WebSocket handshake itself.
func (h *Handshake) Header() http.Header {
	out := make(http.Header)
	for line := range strings.SplitSeq(h.header, "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok {
			out[k] = append(out[k], v)
		}
	}
	return out
}

// URL returns the path and query of the handshake's request.
func (h *Handshake) URL() string {
	if h.rawQuery == "" {
		return h.Path
	}
	return h.Path + "?" + h.rawQuery
}

// packHeader writes headers as lines. A header value cannot hold a newline:
// the HTTP server refuses such requests.
func packHeader(h http.Header) string {
	n := 0
	for k, vs := range h {
		if !ofUpgrade(k) {
			for _, v := range vs {
				n += len(k) + len(v) + 2
			}
		}
	}
	var b strings.Builder
	b.Grow(n)
	for k, vs := range h {
		if ofUpgrade(k) {
			continue
		}
		for _, v := range vs {
			b.WriteString(k)
			b.WriteByte(':')
			b.WriteString(v)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// ofUpgrade tells the headers that only the WebSocket handshake needs.
func ofUpgrade(key string) bool {
	switch key {
	case "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		return true
	}
	return false
}
