package transport

import (
	"net/http"
	"time"
)

// Cookie is what a handshake's response sets; its value is the session id.
type Cookie struct {
	Name     string // empty means "io"
	Path     string // empty means "/"
	Domain   string
	MaxAge   time.Duration // in whole seconds; zero means a session cookie
	Secure   bool          // always on when the handshake came over TLS
	SameSite http.SameSite // zero means Lax
}

func (c *Cookie) build(sid string, secure bool) *http.Cookie {
	ck := &http.Cookie{
		Name: c.Name, Value: sid, Path: c.Path, Domain: c.Domain, MaxAge: int(c.MaxAge.Seconds()),
		HttpOnly: true, Secure: c.Secure || secure, SameSite: c.SameSite,
	}
	if ck.Name == "" {
		ck.Name = "io"
	}
	if ck.Path == "" {
		ck.Path = "/"
	}
	if ck.SameSite == 0 {
		ck.SameSite = http.SameSiteLaxMode
	}
	return ck
}

// cookie sets the session cookie on a handshake's response.
func (e *Engine) cookie(h http.Header, s *Session) {
	if c := e.cfg.Cookie; c != nil {
		h.Add("Set-Cookie", c.build(s.id, s.handshake.Secure).String())
	}
}
