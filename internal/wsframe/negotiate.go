package wsframe

import "strings"

// deflateResponse is the answer to an accepted offer.
const deflateResponse = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// NegotiateDeflate chooses from the values of a request's
// Sec-WebSocket-Extensions headers (RFC 6455 section 9.1). It accepts the first
// permessage-deflate offer it can honour and returns the response header's
// value; both sides then use no context takeover, which RFC 7692 section 7.1.1
// lets a server ask for whatever the offer says. Not ok means that the header
// is to be left out of the response: there is no such offer, each one limits
// the server's window below 15 bits (the one body made by Deflate for all
// connections may use all of 32 KiB), or the header is malformed. Other
// extensions are ignored. Time is linear in the length of the values.
func NegotiateDeflate(headerValues []string) (response string, ok bool) {
	for _, v := range headerValues {
		s := extScanner{in: v}
		for more := true; more; {
			var offer deflateOffer
			offer, more = s.offer()
			if s.bad {
				return "", false
			}
			if response == "" && offer.ok {
				response = deflateResponse
				if offer.serverBits {
					response += "; server_max_window_bits=15"
				}
			}
		}
	}
	return response, response != ""
}

// deflateOffer is what matters of one extension of the list.
type deflateOffer struct {
	ok         bool // an offer of permessage-deflate that can be accepted
	serverBits bool // it limits the server's window, to 15 bits
}

// Parameters of permessage-deflate (RFC 7692 section 7.1).
const (
	paramServerTakeover = 1 << iota
	paramClientTakeover
	paramServerBits
	paramClientBits
)

// accept checks one parameter of an offer and returns its bit, or 0 where the
// offer must be declined: an unknown name or a value that is not allowed.
func acceptParam(name, value string, hasValue bool) uint {
	switch name {
	case "server_no_context_takeover":
		if !hasValue {
			return paramServerTakeover
		}
	case "client_no_context_takeover":
		if !hasValue {
			return paramClientTakeover
		}
	case "server_max_window_bits":
		if value == "15" {
			return paramServerBits
		}
	case "client_max_window_bits":
		// A hint that the client can limit its window. We inflate any.
		if !hasValue || windowBits(value) {
			return paramClientBits
		}
	}
	return 0
}

// windowBits reports whether s is a number from 8 to 15 without leading zeros.
func windowBits(s string) bool {
	return s == "8" || s == "9" || len(s) == 2 && s[0] == '1' && s[1] >= '0' && s[1] <= '5'
}

// extScanner reads the extension list of RFC 6455 section 9.1 from left to
// right, each byte once.
type extScanner struct {
	in  string
	bad bool // the header does not follow the grammar
}

// offer reads one extension with its parameters. more tells whether another
// one follows.
func (s *extScanner) offer() (o deflateOffer, more bool) {
	// Empty list elements are allowed (RFC 7230 section 7).
	for s.skip(); s.eat(','); s.skip() {
	}
	if s.in == "" {
		return o, false
	}
	o.ok = s.token() == "permessage-deflate"
	var seen uint
	for s.skip(); !s.bad && s.eat(';'); s.skip() {
		s.skip()
		name := s.token()
		s.skip()
		var value string
		hasValue := s.eat('=')
		if hasValue {
			s.skip()
			value = s.value()
		}
		p := acceptParam(name, value, hasValue)
		// RFC 7692 section 7.1: a parameter twice declines the offer.
		if p == 0 || seen&p != 0 {
			o.ok = false
		}
		seen |= p
	}
	o.serverBits = seen&paramServerBits != 0
	if s.bad || s.in == "" {
		return o, false
	}
	s.bad = !s.eat(',')
	return o, true
}

func (s *extScanner) skip() {
	s.in = strings.TrimLeft(s.in, " \t")
}

func (s *extScanner) eat(c byte) bool {
	if s.in == "" || s.in[0] != c {
		return false
	}
	s.in = s.in[1:]
	return true
}

// token reads a token (RFC 7230 section 3.2.6), which must not be empty.
func (s *extScanner) token() string {
	n := 0
	for n < len(s.in) && isToken(s.in[n]) {
		n++
	}
	t := s.in[:n]
	s.in = s.in[n:]
	s.bad = s.bad || n == 0
	return t
}

// value reads a token or a quoted string that holds a token (RFC 6455 section
// 9.1). A token needs no escapes, so a backslash is an error.
func (s *extScanner) value() string {
	quoted := s.eat('"')
	t := s.token()
	if quoted && !s.eat('"') {
		s.bad = true
	}
	return t
}

func isToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
