package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A balancer that sends a POST again does not deliver it twice.
func TestPostRetry(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	q := p.query
	for _, stamp := range []string{"a1", "a1", "a1", "a2", "a1", "", "", "123", "123"} {
		if stamp != "" {
			p.query = q + "&t=" + stamp
		} else {
			p.query = q
		}
		p.posts("4" + stamp)
	}
	p.query = q
	// Stamps of digits alone are times, which two requests may share.
	p.polls(strings.Join([]string{"4a1", "4a2", "4a1", "4", "4", "4123", "4123"}, "\x1e"))
}

// While the first is still at work, its retry is not an overlap, and waits: what
// becomes of the packets is not known yet. Of several only the last waits.
func TestPostRetryInParallel(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	entered, leave := make(chan bool), make(chan bool)
	s.app.onText = func(*Session, []byte) { entered <- true; <-leave }
	p := s.openPolling("EIO=4")
	x := p.session()
	p.query += "&t=a1"
	first := p.later("POST", p.query, "4a")
	recv(t, entered, "the message")
	second := p.retriesPost(x, "4a")
	third := p.retriesPost(x, "4a")
	if a := recv(t, second, "the first retry"); a.status != 400 {
		t.Errorf("first retry: %d %q", a.status, a.body)
	}
	if len(first) != 0 || len(third) != 0 {
		t.Error("answered before the packets are handled")
	}
	close(leave)
	for _, c := range []<-chan answer{first, third} {
		if a := recv(t, c, "an answer"); a.body != "ok" {
			t.Errorf("%d %q", a.status, a.body)
		}
	}
	if len(s.app.closed) != 0 || len(entered) != 0 {
		t.Error("the retry ended the session or was delivered")
	}
}

// retriesPost sends a POST again and returns when the server waits with it.
func (p *polling) retriesPost(x *Session, body string) <-chan answer {
	p.Helper()
	waits := func() chan error { x.mu.Lock(); defer x.mu.Unlock(); return x.poll.retry.postAgain }
	before := waits()
	c := p.later("POST", p.query, body)
	eventually(p, "a retry that waits", func() bool { now := waits(); return now != nil && now != before || len(c) > 0 })
	return c
}

// A POST that fails, fails for its retry, too.
func TestPostRetryOfFailure(t *testing.T) {
	t.Parallel()
	t.Run("broken off", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		x := p.session()
		p.query += "&t=a1"
		first := p.slowPost("4")
		second := p.retriesPost(x, "4a")
		first.ends(io.ErrUnexpectedEOF, 400, badRequest)
		if a := recv(t, second, "the retry"); a.status != 400 {
			t.Errorf("retry: %d %q", a.status, a.body)
		}
		s.app.ends(t, ReasonTransportError)
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{MaxPayload: 10})
		p := s.openPolling("EIO=4")
		q := p.query
		p.query = q + "&t=a1"
		p.slowPost("4").tooLarge()
		if a := p.do("POST", p.query, "4a"); a.status != 413 {
			t.Errorf("retry: %d %q", a.status, a.body)
		}
		p.query = q + "&t=a2"
		p.posts("4b")
		p.posts("4b")
		p.polls("4b")
	})
}

// A retry waits no longer than a poll may, nor than its client does.
func TestPostRetryGivesUp(t *testing.T) {
	t.Parallel()
	s := start(t, Config{PingInterval: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	entered, leave := make(chan bool), make(chan bool)
	s.app.onText = func(*Session, []byte) { entered <- true; <-leave }
	p := s.openPolling("EIO=4")
	x := p.session()
	p.query += "&t=a1"
	first := p.later("POST", p.query, "4a")
	recv(t, entered, "the message")
	if a := p.do("POST", p.query, "4a"); a.status != 504 {
		t.Errorf("retry: %d %q", a.status, a.body)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	again := httptest.NewRequest("POST", s.engine.Path()+"?"+p.query, strings.NewReader("4a")).WithContext(ctx)
	if err := s.engine.repeatPost(httptest.NewRecorder(), again, x, stamp("a1")); !errors.Is(err, context.Canceled) {
		t.Errorf("a retry without a client: %v", err)
	}
	close(leave)
	if a := recv(t, first, "the first post"); a.body != "ok" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// A poll that is sent again gets the same answer again, until the client shows
// by its next poll that it has it.
func TestPollRetry(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	q := p.query
	p.query = q + "&t=a1"
	p.posts("4one")
	p.polls("4one")
	p.polls("4one")
	p.query = q + "&t=a2"
	p.posts("4three")
	p.polls("4three")
	p.query = q + "&t=a3"
	p.posts("4four")
	p.polls("4four")
	p.polls("4four")
}

// A retry of a poll that is still pending takes its place.
func TestPollRetryWhilePending(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	p.query += "&t=a1"
	first := p.pending(x)
	second := p.later("GET", p.query, "")
	if a := recv(t, first, "the first poll"); a.status != 400 {
		t.Errorf("%d %q", a.status, a.body)
	}
	x.Send(NewText([]byte("a")), 0, false)
	if a := recv(t, second, "the retry"); a.body != "4a" {
		t.Errorf("%d %q", a.status, a.body)
	}
	if len(s.app.closed) != 0 {
		t.Error("the session has ended")
	}
}

// What is kept for a retry is let go when the next poll comes, and the bytes of
// one session never reach another.
func TestRetryKeepsLittle(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	q := p.query
	p.query = q + "&t=a1"
	x.Send(NewText([]byte(strings.Repeat("x", 10000))), 0, false)
	p.poll()
	eventually(t, "the answer to be kept", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return x.poll.retry.sent != nil })
	p.query = q + "&t=a2"
	c := p.pending(x)
	x.mu.Lock()
	if x.poll.retry.sent != nil {
		t.Error("the old answer is kept while the next poll waits")
	}
	x.mu.Unlock()
	x.Send(NewText([]byte("y")), 0, false)
	if a := recv(t, c, "the poll"); a.body != "4y" {
		t.Errorf("%q", a.body)
	}
	up := s.dial("EIO=4&transport=websocket&sid=" + x.ID())
	up.text("2probe")
	up.expect("3probe")
	up.text("5")
	up.text("4a")
	up.expect("4a")
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.poll.retry.sent != nil {
		t.Error("an answer is kept after the upgrade")
	}
}

// The first of two polls may arrive behind the second, when the client has
// polled again. It takes nothing, and does no harm.
func TestPollBehindItsRetry(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	q := p.query
	const late = 60
	var stamps []string
	for i := range late {
		stamp := fmt.Sprintf("a%d", i)
		stamps = append(stamps, stamp)
		p.query = q + "&t=" + stamp
		p.posts("4" + stamp)
		p.polls("4" + stamp)
	}
	p.query = q
	p.posts("4kept")
	for _, stamp := range stamps[:late-1] {
		p.query = q + "&t=" + stamp
		if a := p.poll(); a.status != 400 {
			t.Errorf("%s again: %d %q", stamp, a.status, a.body)
		}
	}
	p.query = q + "&t=new"
	p.polls("4kept")
	if len(s.app.closed) != 0 {
		t.Error("the session has ended")
	}
}
