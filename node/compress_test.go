package node_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// poller is a polling client that takes compressed answers.
type poller struct {
	t   *testing.T
	srv *server
	url string
}

// poller opens a session and connects to a namespace; what it is sent first is
// left to the test.
func (s *server) poller(t *testing.T, namespace string, auth any) *poller {
	t.Helper()
	p := &poller{t, s, s.url + "/socket.io/?EIO=4&transport=polling"}
	_, open := p.do(http.MethodGet, "", "identity")
	var hello struct{ SID string }
	must(t, json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &hello))
	p.url += "&sid=" + hello.SID
	var payload []byte
	if auth != nil {
		payload, _ = json.Marshal(auth)
	}
	p.post("40" + namespace + "," + string(payload))
	return p
}

func (p *poller) do(method, body, accept string) (encoding, answer string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url, strings.NewReader(body))
	must(p.t, err)
	req.Header.Set("Accept-Encoding", accept)
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(p.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %s, %v", method, res.StatusCode, b, err)
	}
	return res.Header.Get("Content-Encoding"), string(b)
}

func (p *poller) post(packet string) {
	p.t.Helper()
	p.do(http.MethodPost, packet, "identity")
}

// gets checks whether the next payload is compressed.
func (p *poller) gets(what string, compressed bool) {
	p.t.Helper()
	if encoding, body := p.do(http.MethodGet, "", "gzip"); (encoding == "gzip") != compressed {
		p.t.Errorf("%s: encoding %q of %d bytes, compressed should be %t", what, encoding, len(body), compressed)
	}
}

var compressible = strings.Repeat("compressible ", 200)

// Compress(false) reaches the connection whichever way an event is sent.
func TestCompress(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*node.Config){"plain": nil, "recovering": recovering} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, change)
			ns := srv.Of("/c")
			conns := sockets(ns)
			args, err := protocol.ParseArgs([]byte(`["`+compressible+`"]`), nil)
			must(t, err)
			p := srv.poller(t, "/c", nil)
			p.do(http.MethodGet, "", "identity") // CONNECT
			s := wait(t, conns, "a socket")
			ctx := t.Context()
			ways := map[string]func(on bool) error{
				"direct":        func(on bool) error { return s.Compress(on).Emit(ctx, "e", compressible) },
				"direct relay":  func(on bool) error { return s.Compress(on).EmitArgs(ctx, "e", args) },
				"direct latest": func(on bool) error { return s.Latest("k").Compress(on).Emit(ctx, "e", compressible) },
				"to all":        func(on bool) error { return ns.Compress(on).Emit(ctx, "e", compressible) },
				"to a room":     func(on bool) error { return ns.To(s.ID()).Compress(on).EmitArgs(ctx, "e", args) },
				"fast":          func(on bool) error { return ns.Compress(on).Fast().Emit(ctx, "e", compressible) },
				"direct with an answer": func(on bool) error {
					return srv.Go(func(context.Context) error {
						_, _ = s.Compress(on).Volatile().EmitWithAck(ctx, "e", compressible)
						return nil
					})
				},
				"with an answer": func(on bool) error {
					return srv.Go(func(context.Context) error { // until the test ends
						_, _ = ns.Compress(on).CollectAcks(ctx, "e", compressible)
						return nil
					})
				},
			}
			for way, emit := range ways {
				for _, on := range []bool{true, false} {
					must(t, emit(on))
					p.gets(way, on)
				}
			}
			p.post("1")
		})
	}
}

// What a recovery repeats, or middleware emits, keeps it.
func TestCompressOfReplay(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/c")
	type auth struct {
		PID   string `json:"pid,omitempty"`
		Early *bool  `json:"early,omitempty"`
	}
	ns.Use(func(ctx context.Context, s *node.Socket) error {
		var a auth
		must(t, s.Auth(&a))
		if a.Early == nil {
			return nil
		}
		return s.Compress(*a.Early).Emit(ctx, "early", compressible)
	})
	conns := sockets(ns)
	ctx := t.Context()
	for _, on := range []bool{true, false} {
		for way, emit := range map[string]func(s *node.Socket) error{
			"direct": func(s *node.Socket) error { return s.Compress(on).Emit(ctx, "e", compressible) },
			"room":   func(s *node.Socket) error { return ns.To(s.ID()).Compress(on).Emit(ctx, "e", compressible) },
		} {
			for _, away := range []bool{true, false} {
				p := srv.poller(t, "/c", nil)
				s := wait(t, conns, "a socket")
				_, hello := p.do(http.MethodGet, "", "identity")
				var mine auth
				must(t, json.Unmarshal([]byte(strings.TrimPrefix(hello, "40/c,")), &mine))
				if !away {
					must(t, emit(s))
				}
				p.post("1")
				closed(t, s.Context().Done(), "the end")
				if away {
					must(t, emit(s))
				}
				again := srv.poller(t, "/c", mine)
				again.gets("replay of "+way, on)
				if s := wait(t, conns, "a socket"); !s.Recovered() {
					t.Error("not recovered")
				}
				again.post("1")
			}
		}
		p := srv.poller(t, "/c", auth{Early: &on})
		p.gets("middleware", on)
		wait(t, conns, "a socket")
		p.post("1")
	}
}
