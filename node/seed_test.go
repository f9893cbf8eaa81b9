package node_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// CompatSeed turns five defaults of the transport into those of python-socketio
// 1.x, and what is set by hand wins (R7).
func TestSeedDefaults(t *testing.T) {
	t.Parallel()
	type answer struct {
		Status              int
		Cookie              string // up to the session's id
		Origin, Credentials string
		PingInterval        int `json:"pingInterval"` // ms
		PingTimeout         int `json:"pingTimeout"`
		MaxPayload          int `json:"maxPayload"`
	}
	const foreign = "https://elsewhere.example"
	seed := func(c *node.Config) { c.CompatSeed = true }
	for name, test := range map[string]struct {
		change func(*node.Config)
		origin string
		want   answer
	}{
		"without":                     {nil, "", answer{Status: 200, PingInterval: 25_000, PingTimeout: 20_000, MaxPayload: 1_000_000}},
		"without, of another origin":  {nil, foreign, answer{Status: 403}},
		"with":                        {seed, "", answer{200, "io=", "", "", 25_000, 60_000, 100_000_000}},
		"with, of another origin":     {seed, foreign, answer{200, "io=", foreign, "true", 25_000, 60_000, 100_000_000}},
		"set by hand":                 {handmade, "", answer{200, "mine=", "", "", 25_000, 5000, 2000}},
		"set by hand, another origin": {handmade, foreign, answer{Status: 403}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, test.change)
			for _, eio := range []string{"3", "4"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.url+"/socket.io/?transport=polling&EIO="+eio, nil)
				must(t, err)
				if test.origin != "" {
					req.Header.Set("Origin", test.origin)
				}
				res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
				must(t, err)
				body, err := io.ReadAll(res.Body)
				must(t, err)
				must(t, res.Body.Close())
				got := answer{
					Status: res.StatusCode,
					Origin: res.Header.Get("Access-Control-Allow-Origin"), Credentials: res.Header.Get("Access-Control-Allow-Credentials"),
				}
				if cookie := res.Header.Get("Set-Cookie"); cookie != "" {
					got.Cookie = cookie[:strings.IndexByte(cookie, '=')+1]
				}
				if got.Status == http.StatusOK {
					from, to := strings.IndexByte(string(body), '{'), strings.IndexByte(string(body), '}')
					must(t, json.Unmarshal(body[from:to+1], &got))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("EIO=%s (-want +got)\n%s", eio, diff)
				}
			}
		})
	}
}

func handmade(c *node.Config) {
	c.CompatSeed = true
	c.Transport.PingTimeout = 5 * time.Second
	c.Transport.MaxPayload = 2000
	c.Transport.Cookie = &transport.Cookie{Name: "mine"}
	c.Transport.CORS.Origins = []string{"https://mine.example"}
}

// With CompatSeed a refusal of the root is a refused handshake, as it was with
// python-socketio 1.x; over WebSocket, whose handshake is answered before, the
// session is closed.
func TestSeedRefusal(t *testing.T) {
	t.Parallel()
	for _, seed := range []bool{true, false} {
		srv := start(t, func(c *node.Config) { c.CompatSeed, c.ConnectTimeout = seed, time.Second })
		srv.Of("/").Use(func(_ context.Context, s *node.Socket) error {
			if s.Query().Get("token") != "good" {
				return node.Refuse("bad token", nil)
			}
			return nil
		})
		// Newer clients ask for the namespace after the handshake.
		r := srv.raw(t, "4", "&token=bad")
		r.send("40")
		r.expect(`44{"message":"bad token"}`)
		status, body := srv.get(t, "/socket.io/?EIO=3&transport=polling&token=bad")
		if seed {
			if status != 401 || !strings.Contains(body, "bad token") {
				t.Errorf("refused with %d %s", status, body)
			}
			srv.raw(t, "3", "&token=bad").closed()
		} else {
			if status != 200 {
				t.Errorf("without CompatSeed: %d %s", status, body)
			}
			srv.raw(t, "3", "&token=bad").closed(`44"bad token"`) // after ConnectTimeout
		}
		if status, body := srv.get(t, "/socket.io/?EIO=3&transport=polling&token=good"); status != 200 || seed && !strings.Contains(body, "2:40") {
			t.Errorf("answered %d %q", status, body)
		}
	}
}
