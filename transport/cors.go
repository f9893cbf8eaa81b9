package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// CORS says which origins may use an engine. The check covers polling and
// WebSocket alike: browsers do not hold WebSocket to CORS, so a server that
// does not look at Origin lets any site use the visitor's cookies.
//
// A request without an Origin header is not from another site's script and is
// always allowed, as is one from the same origin: scheme and host of the
// request, or what a proxy among Config.TrustedProxies says they were.
type CORS struct {
	// Origins that are allowed beside the request's own: exact
	// ("https://app.example.com"), with a wildcard in the host
	// ("https://*.example.com"), or "*" for all.
	Origins []string

	// Func, if not nil, is asked for origins that Origins does not allow.
	Func func(origin string, r *http.Request) bool

	// Credentials allows cookies and authorisation headers in cross-origin
	// requests. It cannot be combined with "*" unless InsecureAnyOrigin is set.
	Credentials bool

	// InsecureAnyOrigin accepts "*" together with Credentials: every site may
	// then act as the visitor. For development and old deployments.
	InsecureAnyOrigin bool

	// Methods and Headers are the answers to a preflight. Nil means GET and
	// POST, and the headers that the request asks for.
	Methods, Headers []string
}

func (c *CORS) validate() error {
	var errs []error
	for _, o := range c.Origins {
		if o == "*" {
			if c.Credentials && !c.InsecureAnyOrigin {
				errs = append(errs, errors.New(`transport: CORS.Origins "*" with Credentials lets every site act as its visitors: list the origins, or set InsecureAnyOrigin`))
			}
			continue
		}
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			errs = append(errs, fmt.Errorf("transport: CORS.Origins: %q is not an origin such as https://example.com", o))
		} else if _, err := path.Match(o, ""); err != nil {
			errs = append(errs, fmt.Errorf("transport: CORS.Origins: %q: %w", o, err))
		}
	}
	return errors.Join(errs...)
}

// configured reports whether any cross-origin use is allowed at all.
func (c *CORS) configured() bool { return len(c.Origins) > 0 || c.Func != nil }

// originAllowed reports whether the request's origin may use the engine.
func (e *Engine) originAllowed(origin string, r *http.Request) bool {
	return e.sameOrigin(origin, r) || e.cfg.CORS.allows(origin, r)
}

// allows reports whether another origin than the engine's own is allowed.
func (c *CORS) allows(origin string, r *http.Request) bool {
	for _, o := range c.Origins {
		if o == "*" || strings.EqualFold(o, origin) {
			return true
		}
		if strings.Contains(o, "*") {
			if ok, _ := path.Match(strings.ToLower(o), strings.ToLower(origin)); ok {
				return true
			}
		}
	}
	return c.Func != nil && c.Func(origin, r)
}

func (e *Engine) sameOrigin(origin string, r *http.Request) bool {
	if !strings.Contains(origin, "://") {
		// Clients of the 1.0 to 1.3 lines in Node name themselves by host and
		// port, without a scheme; no browser does.
		return strings.EqualFold(origin, r.Host)
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	scheme, host := e.reachedBy(r)
	return strings.EqualFold(u.Scheme, scheme) && strings.EqualFold(u.Host, host)
}

// corsHeaders adds the CORS headers of a response.
func (e *Engine) corsHeaders(h http.Header, r *http.Request) {
	c := &e.cfg.CORS
	if !c.configured() {
		return
	}
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !validHeaderText(origin) || !e.originAllowed(origin, r) {
		return
	}
	if !c.Credentials && slices.Contains(c.Origins, "*") {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// preflight adds the headers of the answer to an OPTIONS request (Fetch
// standard, "CORS-preflight fetch") to those of every response, which are there
// already.
func (c *CORS) preflight(h http.Header, r *http.Request) {
	if h.Get("Access-Control-Allow-Origin") == "" {
		return // the origin is not allowed
	}
	methods := "GET,POST"
	if c.Methods != nil {
		methods = strings.Join(c.Methods, ",")
	}
	h.Set("Access-Control-Allow-Methods", methods)
	headers := strings.Join(c.Headers, ",")
	if c.Headers == nil {
		headers = r.Header.Get("Access-Control-Request-Headers")
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	if headers != "" && validHeaderText(headers) {
		h.Set("Access-Control-Allow-Headers", headers)
	}
}
