package node

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
)

// claim is what a client's CONNECT says about recovery.
type claim struct {
	pid    string // of the session that it wants to continue; "" if none
	offset resume.Claim
	never  bool // it wants no recovery, now or later
	tried  bool // the session has been asked for already
	large  bool // the session fits into no message, so its node keeps it
}

// splitClaim takes the recovery fields out of a CONNECT payload, so that the
// application does not see them: the pid is a secret. A client that opts out
// with "recover": false, because its handlers take a fixed number of arguments,
// is sent no offsets (V4).
//
// Fields of these names that are not ours, as an application's own "pid" may
// be, are left alone.
func splitClaim(payload []byte) (rest []byte, c claim) {
	if !bytes.Contains(payload, []byte(`"pid"`)) && !bytes.Contains(payload, []byte(`"recover"`)) {
		return payload, c
	}
	fields := map[string]string{}
	for name, value := range members(payload) {
		fields[name] = value // of several the last one counts, as in JavaScript
	}
	pid, offset := unquote(fields["pid"]), unquote(fields["offset"])
	switch {
	case fields["recover"] == "false":
		c.never = true
	case isPID(pid):
		c.pid = pid
		// A string that is no offset of ours came from another server; it says
		// nothing.
		c.offset.Offset, c.offset.Given = backplane.ParseOffset(offset)
	default:
		return payload, c
	}
	rest = []byte{'{'}
	for name, value := range members(payload) {
		switch {
		case name == "recover" && c.never, name == "pid" && isPID(pid), name == "offset" && isPID(pid):
			continue
		case len(rest) > 1:
			rest = append(rest, ',')
		}
		rest, _ = jsontext.AppendQuote(rest, name) // its text was decoded from JSON
		rest = append(append(rest, ':'), value...)
	}
	return append(rest, '}'), c
}

// members yields the members of a JSON object, values as they stand. What is
// not an object yields nothing.
func members(object []byte) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		d := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
			return
		}
		for d.PeekKind() == '"' {
			t, err := d.ReadToken()
			if err != nil {
				return
			}
			name := t.String()
			v, err := d.ReadValue()
			if err != nil || !yield(name, string(v)) {
				return
			}
		}
	}
}

// unquote is the text of a JSON string, "" for anything else.
func unquote(value string) string {
	b, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return ""
	}
	return string(b)
}

// pidRandom is the number of random bytes in a pid.
const pidRandom = 24

// newPID returns the private id of a new session: its first home, and 192
// random bits. Who knows it can continue the session, so it is never logged
// and never shown to the application.
func newPID(home string) string {
	var b [pidRandom]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return home + "." + base64.RawURLEncoding.EncodeToString(b[:])
}

// isPID reports whether s has the form of a pid.
func isPID(s string) bool {
	home, secret, ok := strings.Cut(s, ".")
	if !ok || home == "" || len(home) > backplane.MaxID {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(secret)
	return err == nil && len(b) == pidRandom
}

// homeOf is the boot id of the node on which a session began.
func homeOf(pid string) string {
	home, _, _ := strings.Cut(pid, ".")
	return home
}
