package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A client whose connection breaks while its poll is answered asks again before
// the server has noticed, and may have polled on when it does.
func TestPollRetryWhileAnswered(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"written": nil, "broken": io.ErrClosedPipe} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			p := s.openPolling("EIO=4")
			x := p.session()
			x.Send(NewText([]byte("a")), 0, false)
			q := p.query
			p.query = q + "&t=a1"
			ends := p.stuck(err)
			p.polls("4a")
			ends()
			p.polls("4a")
			p.query = q + "&t=a2"
			x.Send(NewText([]byte("b")), 0, false)
			ends = p.stuck(err)
			p.polls("4b")
			p.query = q + "&t=a3"
			next := p.pending(x)
			ends()
			x.Send(NewText([]byte("c")), 0, false)
			if a := recv(t, next, "the next poll"); a.body != "4c" {
				t.Errorf("next poll: %d %q", a.status, a.body)
			}
			if len(s.app.closed) != 0 {
				t.Error("the session has ended")
			}
		})
	}
}

// An answer that reaches its client on no connection ends the session: when the
// last of them has broken.
func TestPollAnswerLost(t *testing.T) {
	t.Parallel()
	for name, stamp := range map[string]string{"stamp": "&t=a1", "no stamp": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			p := s.openPolling("EIO=4")
			p.session().Send(NewText([]byte("a")), 0, false)
			p.query += stamp
			first := p.stuck(io.ErrClosedPipe)
			if stamp != "" {
				p.stuck(io.ErrClosedPipe)()
				if len(s.app.closed) != 0 || s.engine.Len() != 1 {
					t.Error("the session ended while an answer was being written")
				}
			}
			first()
			s.app.ends(t, ReasonTransportError)
		})
	}
}

// stuck polls, and returns when the answer is about to be written; ends ends that,
// with err.
func (p *polling) stuck(err error) (ends func()) {
	p.Helper()
	w := &stuckWriter{header: make(http.Header), writing: make(chan struct{}), release: make(chan struct{}), err: err}
	done := make(chan struct{})
	req := httptest.NewRequest(http.MethodGet, p.engine.Path()+"?"+p.query, nil)
	go func() {
		defer close(done)
		p.engine.ServeHTTP(w, req)
	}()
	recv(p, w.writing, "the answer")
	return func() {
		p.Helper()
		close(w.release)
		recv(p, done, "the poll's end")
	}
}

// stuckWriter is a response that is not written before it is released.
type stuckWriter struct {
	header           http.Header
	writing, release chan struct{}
	err              error // of the writing
}

func (w *stuckWriter) Header() http.Header { return w.header }
func (w *stuckWriter) WriteHeader(int)     {}
func (w *stuckWriter) Flush()              {}

func (w *stuckWriter) Write(b []byte) (int, error) {
	close(w.writing)
	<-w.release
	return len(b), w.err
}
