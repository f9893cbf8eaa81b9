package transport

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// plainWriter is what a simple middleware makes of a ResponseWriter: it knows
// neither Flush nor Hijack nor deadlines.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }

// Polling works behind a middleware whose ResponseWriter can only write.
func TestPollingBehindPlainMiddleware(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.engine.ServeHTTP(plainWriter{w}, r)
	}))
	defer hs.Close()
	s.addr = hs.Listener.Addr().String()
	p := s.openPolling("EIO=4")
	for range 3 {
		p.posts("4hello")
		p.polls("4hello")
	}
	if n := s.engine.Len(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
