package config

import "strings"

// DidYouMean returns `: did you mean "x"?` for the name nearest to s, or
// nothing if none is near.
func DidYouMean(s string, names []string) string {
	if n := nearest(s, names); n != "" {
		return `: did you mean "` + n + `"?`
	}
	return ""
}

// nearest returns the name that s was probably meant to be, or "". Case and
// separators do not count. A name that begins or ends alike counts as one
// typing error.
func nearest(s string, names []string) string {
	want := plain(s)
	best, errors := "", 1+len(want)/4 // that are forgiven
	for _, n := range names {
		have := plain(n)
		d := distance(want, have)
		if alike(want, have) {
			d = min(d, 1)
		}
		if d < errors || d == errors && (best == "" || len(n) < len(best)) {
			best, errors = n, d
		}
	}
	return best
}

func alike(a, b string) bool {
	const enough = 4
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) >= enough && (strings.HasPrefix(b, a) || strings.HasSuffix(b, a))
}

// plain leaves only letters and digits, in lower case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// distance is the number of letters to insert, remove, replace or swap with
// their neighbour to turn a into b.
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// elsewhere maps what other Socket.IO servers call an option, in plain letters,
// to our key.
var elsewhere = map[string]string{
	"maxsessions":                 "max_connections",
	"ratelimit":                   "event_rate",
	"alloweio3":                   "eio3",
	"allowupgrades":               "upgrades",
	"cleanupemptychildnamespaces": "keep_empty_namespaces",
	"compressionthreshold":        "compression.threshold",
	"connectionstaterecovery":     "recovery.enabled",
	"corsallowedorigins":          "cors.origins",
	"corsorigin":                  "cors.origins",
	"destroyupgradetimeout":       "upgrade_timeout",
	"engineiologger":              "log.transport",
	"httpcompression":             "compression.enabled",
	"logger":                      "log.level",
	"maxdisconnectionduration":    "recovery.window",
	"maxhttpbuffersize":           "max_payload",
	"origin":                      "cors.origins",
	"origins":                     "cors.origins",
	"port":                        "listen",
	"host":                        "listen",
	"addr":                        "listen",
	"address":                     "listen",
	"bind":                        "listen",
	"servestatic":                 "static",
	"socketiopath":                "path",
}
