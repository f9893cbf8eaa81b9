package client

import (
	"fmt"
	"net/url"
)

// parseURL splits what Dial is given.
func parseURL(raw, path string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	switch u.Scheme {
	case "http", "https":
	case "ws", "wss":
		u.Scheme = "http" + u.Scheme[len("ws"):]
	default:
		return nil, fmt.Errorf("client: URL %q: scheme is none of http, https, ws, wss", raw)
	}
	if path != "" {
		u.Path = path
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/socket.io/"
	}
	u.Fragment = ""
	return u, nil
}

// requestURL returns the address of the server for one transport, with all
// parameters but the cache buster.
func (c *Client) requestURL(t Transport, sid string) string {
	u := *c.url
	q := u.Query()
	for k, v := range c.cfg.Query {
		q[k] = v
	}
	q.Set("EIO", "4")
	q.Set("transport", string(t))
	if sid != "" {
		q.Set("sid", sid)
	}
	u.RawQuery = q.Encode()
	if t == WebSocket {
		u.Scheme = "ws" + u.Scheme[len("http"):]
	}
	return u.String()
}
