package transport

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

// slowPost is a POST whose body comes as the test writes it.
type slowPost struct {
	*testing.T
	body *io.PipeWriter
	rec  *httptest.ResponseRecorder
	done chan struct{}
}

// slowPost begins a POST; it is at work when the beginning of its body was read.
func (p *polling) slowPost(begin string) *slowPost {
	p.Helper()
	r, w := io.Pipe()
	sp := &slowPost{T: p.T, body: w, rec: httptest.NewRecorder(), done: make(chan struct{})}
	req := httptest.NewRequest("POST", p.engine.Path()+"?"+p.query, r)
	go func() {
		defer close(sp.done)
		p.engine.ServeHTTP(sp.rec, req)
		_ = r.Close()
	}()
	if _, err := io.WriteString(w, begin); err != nil {
		p.Fatal(err)
	}
	return sp
}

// ends ends the body, with an error if it breaks off, and wants the answer.
func (sp *slowPost) ends(err error, status int, body string) {
	sp.Helper()
	_ = sp.body.CloseWithError(err)
	recv(sp.T, sp.done, "the slow post")
	if sp.rec.Code != status || sp.rec.Body.String() != body {
		sp.Errorf("%d %q, want %d %q", sp.rec.Code, sp.rec.Body, status, body)
	}
}

// tooLarge sends more than is accepted and wants to be told so.
func (sp *slowPost) tooLarge() {
	sp.Helper()
	_, _ = io.WriteString(sp.body, strings.Repeat("a", 100))
	recv(sp.T, sp.done, "the slow post")
	if sp.rec.Code != 413 {
		sp.Errorf("%d %q, want 413", sp.rec.Code, sp.rec.Body)
	}
}

// The posts of a session that closes lead nowhere, but are still read by the one
// decoder of the session.
func TestOverlapWhileClosing(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=3")
	x := p.session()
	x.Send(NewText([]byte("bye")), 0, false)
	x.Close("")
	first := p.slowPost("3:4")
	if a := p.do("POST", p.query, "3:4€a"); a.status != 400 {
		t.Errorf("second post: %d %q", a.status, a.body)
	}
	if _, err := io.WriteString(first.body, "€a"); err != nil {
		t.Fatal(err)
	}
	first.ends(nil, 200, "ok")
	p.posts("3:4€a")
	p.polls("4:4bye")
	p.polls("1:1")
}
