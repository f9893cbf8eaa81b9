package protocol

import "encoding/binary"

// scanner validates one JSON text in a single pass without copying
// (RFC 8259), and finds where arguments begin and end. Raw arguments are
// relayed to other clients, so the whole text is checked, not only its
// outline (R10).
//
// Two liberties are those of JavaScript: names may repeat, and an escape may
// spell a lone surrogate. Bytes over 0x7f are taken as they are, because UTF-8
// is checked once per message by the transport.
//
// Methods return the index after what they read, or -1 with fail set.
type scanner struct {
	data     []byte
	maxDepth int

	// attachments is how many a placeholder may refer to; negative if
	// placeholders are ordinary objects, as in a packet without attachments.
	attachments int

	fail   string // reason of the first failure
	failAt int
	tooBig bool // the failure is the depth limit
}

func (s *scanner) err() error {
	if s.tooBig {
		return &LimitError{Limit: "json depth", Value: s.maxDepth + 1, Max: s.maxDepth}
	}
	return &SyntaxError{Offset: s.failAt, Reason: s.fail}
}

func (s *scanner) bad(at int, reason string) int {
	s.fail, s.failAt = reason, at
	return -1
}

func (s *scanner) space(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value reads any value that starts exactly at i. depth is how many arrays and
// objects are open around it.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.data) {
		return s.bad(i, reasonJSON)
	}
	switch s.data[i] {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

func (s *scanner) literal(i int, word string) int {
	if len(s.data)-i < len(word) || string(s.data[i:i+len(word)]) != word {
		return s.bad(i, reasonJSON)
	}
	return i + len(word)
}

func (s *scanner) deeper(i, depth int) bool {
	if depth <= s.maxDepth {
		return true
	}
	s.tooBig = true
	s.bad(i, reasonJSON)
	return false
}

func (s *scanner) array(i, depth int) int {
	if !s.deeper(i, depth) {
		return -1
	}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(s.space(i), depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(s.data) {
			return s.bad(i, reasonJSON)
		}
		switch s.data[i] {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return s.bad(i, reasonJSON)
		}
	}
}

func (s *scanner) object(i, depth int) int {
	if !s.deeper(i, depth) {
		return -1
	}
	start := i
	var ph placeholder
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == '}' {
		return i + 1
	}
	for {
		i = s.space(i)
		if i >= len(s.data) || s.data[i] != '"' {
			return s.bad(i, reasonJSON)
		}
		name := i
		if i = s.str(i); i < 0 {
			return -1
		}
		nameEnd := i
		i = s.space(i)
		if i >= len(s.data) || s.data[i] != ':' {
			return s.bad(i, reasonJSON)
		}
		val := s.space(i + 1)
		if i = s.value(val, depth); i < 0 {
			return -1
		}
		if s.attachments >= 0 {
			ph.member(s.data[name:nameEnd], s.data[val:i])
		}
		i = s.space(i)
		if i >= len(s.data) {
			return s.bad(i, reasonJSON)
		}
		switch s.data[i] {
		case ',':
			i++
		case '}':
			if ph.is && (ph.num < 0 || ph.num >= s.attachments) {
				return s.bad(start, reasonPlaceholder)
			}
			return i + 1
		default:
			return s.bad(i, reasonJSON)
		}
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special reports, in the high bit of each byte, quotes, backslashes and
// control characters; bits above the first one set may be wrong.
func special(w uint64) uint64 {
	quote := w ^ (ones * '"')
	back := w ^ (ones * '\\')
	return ((quote-ones)&^quote | (back-ones)&^back | (w-ones*0x20)&^w) & highs
}

// str reads a string; i is at its opening quote.
func (s *scanner) str(i int) int {
	data := s.data
	i++
	for {
		for i+8 <= len(data) && special(binary.LittleEndian.Uint64(data[i:])) == 0 {
			i += 8
		}
		for ; ; i++ {
			if i >= len(data) {
				return s.bad(i, reasonJSON)
			}
			c := data[i]
			if c == '"' {
				return i + 1
			}
			if c < 0x20 {
				return s.bad(i, reasonJSON)
			}
			if c == '\\' {
				break
			}
		}
		if i = s.escape(i); i < 0 {
			return -1
		}
	}
}

// escape reads one escape sequence; i is at the backslash.
func (s *scanner) escape(i int) int {
	data := s.data
	if i+1 >= len(data) {
		return s.bad(i, reasonJSON)
	}
	switch data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(data) {
			return s.bad(i, reasonJSON)
		}
		for _, c := range data[i+2 : i+6] {
			if !isHex(c) {
				return s.bad(i, reasonJSON)
			}
		}
		return i + 6
	}
	return s.bad(i, reasonJSON)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *scanner) digits(i int) int {
	for i < len(s.data) && '0' <= s.data[i] && s.data[i] <= '9' {
		i++
	}
	return i
}

// number reads a number (RFC 8259, section 6). Its magnitude is not limited:
// digits are relayed as written.
func (s *scanner) number(i int) int {
	data, start := s.data, i
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i >= len(data):
		return s.bad(start, reasonJSON)
	case data[i] == '0':
		i++
	case '1' <= data[i] && data[i] <= '9':
		i = s.digits(i)
	default:
		return s.bad(start, reasonJSON)
	}
	if i < len(data) && data[i] == '.' {
		first := i + 1
		if i = s.digits(first); i == first {
			return s.bad(start, reasonJSON)
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		first := i
		if i = s.digits(first); i == first {
			return s.bad(start, reasonJSON)
		}
	}
	return i
}
