package transport

import (
	"net/url"
	"strings"

	"github.com/siod-io/siod/protocol/engineio"
)

// query is what the engine reads from a request's query string, without
// building a map for each poll.
type query struct {
	eio, transport, sid, jsonp string
	home                       string // token of the other node that has the session; set by verify
	base64                     bool
	many                       bool   // answers may hold more than fewPackets
	stamp                      uint64 // hash of "t"
}

// parseQuery scans the query string. Of repeated keys the last counts, as in
// the reference server.
func parseQuery(raw string) query {
	var q query
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "EIO":
			q.eio = value
		case "transport":
			q.transport = value
		case "sid":
			q.sid = unescape(value)
		case "j":
			q.jsonp = engineio.JSONPIndex(value)
		case "t":
			// Clients of Python stamp with the time in seconds and a fraction, or
			// not at all; no official client of JavaScript does either.
			q.stamp = stamp(value)
			whole, fraction, _ := strings.Cut(value, ".")
			q.many = value != "" && (fraction == "" || !allDigits(whole) || !allDigits(fraction))
		case "b64":
			q.base64 = value == "1" || value == "true"
		}
	}
	return q
}

func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
