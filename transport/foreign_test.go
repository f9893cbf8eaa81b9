package transport

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"
)

// homes is a Forwarder that answers for a node with the token "other-".
type homes struct {
	forward, tunnel chan string
	err             error
	deadline        chan time.Time
}

func newHomes() *homes {
	return &homes{forward: make(chan string, 10), tunnel: make(chan string, 10), deadline: make(chan time.Time, 10)}
}

func (h *homes) Forward(w http.ResponseWriter, r *http.Request, token string) error {
	d, _ := r.Context().Deadline()
	h.forward <- r.Method + " " + token
	h.deadline <- d
	if h.err == nil {
		_, _ = io.WriteString(w, "from "+token)
	}
	return h.err
}

func (h *homes) Tunnel(w http.ResponseWriter, _ *http.Request, token string) error {
	h.tunnel <- token
	if h.err == nil {
		w.WriteHeader(http.StatusTeapot)
	}
	return h.err
}

func TestForeign(t *testing.T) {
	t.Parallel()
	h := newHomes()
	s := start(t, Config{Token: "this--", Foreign: h, PingInterval: time.Minute, PingTimeout: time.Minute, PollTimeout: time.Minute})
	const sid = "&sid=other-aaaaaaaaaaaaaaaaaaaa"

	before := time.Now()
	for _, method := range []string{"GET", "POST"} {
		body := map[string]string{"POST": "4x"}[method]
		if a := s.do(method, "EIO=4&transport=polling"+sid, body); a.status != 200 || a.body != "from other-" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
		if got := recv(t, h.forward, "the request"); got != method+" other-" {
			t.Errorf("%s was forwarded as %q", method, got)
		}
		if d := recv(t, h.deadline, "the request").Sub(before); d < 3*time.Minute || d > 3*time.Minute+patience {
			t.Errorf("%s: an answer was due in %v", method, d)
		}
	}
	if c := s.knock("EIO=4&transport=websocket" + sid); c.accept.StatusCode != http.StatusTeapot {
		t.Errorf("upgrade: %s", c.accept.Status)
	}
	if got := recv(t, h.tunnel, "the upgrade"); got != "other-" {
		t.Errorf("tunnel to %q", got)
	}
}

// What can be told from the request alone is not another node's business.
func TestForeignRefusals(t *testing.T) {
	t.Parallel()
	h := newHomes()
	s := start(t, Config{Token: "this--", Foreign: h})
	const foreign = "&sid=other-aaaaaaaaaaaaaaaaaaaa"
	tests := map[string]struct {
		method, query string
		header        []string
		status        int
		body          string
	}{
		"ours":                  {"GET", "EIO=4&transport=polling&sid=this--aaaaaaaaaaaaaaaaaaaa", nil, 400, unknownSession},
		"no longer than tokens": {"GET", "EIO=4&transport=polling&sid=other-", nil, 400, unknownSession},
		"transport":             {"GET", "EIO=4&transport=pigeon" + foreign, nil, 400, `{"code":0,"message":"Transport unknown"}`},
		"origin":                {"GET", "EIO=4&transport=polling" + foreign, []string{"Origin", "https://evil.example"}, 403, `{"code":4,"message":"Forbidden"}`},
		"method":                {"PUT", "EIO=4&transport=polling" + foreign, nil, 405, `{"code":2,"message":"Bad handshake method"}`},
		"no upgrade":            {"GET", "EIO=4&transport=websocket" + foreign, nil, 400, badRequest},
		"upgrade of polling":    {"GET", "EIO=4&transport=polling" + foreign, []string{"Connection", "upgrade", "Upgrade", "websocket"}, 400, badRequest},
		"bad upgrade":           {"GET", "EIO=4&transport=websocket" + foreign, []string{"Connection", "upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13"}, 400, badRequest},
	}
	for name, tt := range tests {
		if a := s.do(tt.method, tt.query, "", tt.header...); a.status != tt.status || a.body != tt.body {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if len(h.forward)+len(h.tunnel) > 0 {
		t.Error("one of them was forwarded")
	}
}

const unknownSession = `{"code":1,"message":"Session ID unknown"}`

// An error of the forwarder is the client's answer.
func TestForeignErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"any":    {errors.New("the home is away"), 400, unknownSession},
		"theirs": {&RequestError{Code: CodeSessionUnknown, Status: 503, Message: "not now"}, 503, `{"code":1,"message":"not now"}`},
	} {
		h := newHomes()
		h.err = tt.err
		told := make(chan *RequestError, 10)
		s := start(t, Config{Token: "this--", Foreign: h, OnRefused: func(e *RequestError) { told <- e }})
		a := s.do("GET", "EIO=4&transport=polling&sid=other-aaaaaaaaaaaaaaaaaaaa", "")
		if a.status != tt.status || a.body != tt.body {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if e := recv(t, told, "OnRefused"); e.Request == nil || e == tt.err {
			t.Errorf("%s: OnRefused was told %v, want a copy with the request", name, e)
		}
		if st := s.engine.Stats(); st.Refused[CodeSessionUnknown] != 1 || st.RefusedFull != 0 {
			t.Errorf("%s: %+v", name, st)
		}
	}
}
