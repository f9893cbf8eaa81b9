package node

import (
	"time"

	"github.com/siod-io/siod/transport"
)

// seedTransport fills in the defaults of python-socketio 1.x where nothing was
// set (R7): 60 s for a pong, bodies of 100 MB, the cookie "io", all origins.
func seedTransport(t transport.Config) transport.Config {
	if t.PingTimeout == 0 {
		t.PingTimeout = 60 * time.Second
	}
	if t.MaxPayload == 0 {
		t.MaxPayload = 100_000_000
	}
	if t.Cookie == nil {
		t.Cookie = &transport.Cookie{Name: "io"}
	}
	if len(t.CORS.Origins) == 0 && t.CORS.Func == nil {
		t.CORS.Origins = []string{"*"}
		t.CORS.Credentials, t.CORS.InsecureAnyOrigin = true, true
	}
	return t
}
