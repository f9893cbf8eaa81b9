package jsonscan

import "encoding/binary"

// HardMaxDepth is the most that MaxDepth may be, since scanning recurses.
const HardMaxDepth = 10_000

// Failure says what a Scanner found wrong.
type Failure uint8

const (
	None        Failure = iota
	Syntax              // not JSON
	Depth               // more arrays and objects around a value than MaxDepth
	Placeholder         // a placeholder without its attachment
)

// Scanner validates JSON text. Its methods take the index at which to read and
// return the index after what they read, or -1 with Fail and FailAt set.
type Scanner struct {
	Data     []byte
	MaxDepth int

	// Attachments is how many a placeholder may refer to; negative if
	// placeholders are ordinary objects, as in a packet without attachments.
	Attachments int

	Fail   Failure
	FailAt int // byte at which Fail was seen
}

func (s *Scanner) bad(at int, f Failure) int {
	s.Fail, s.FailAt = f, at
	return -1
}

// Space skips white space. It never fails.
func (s *Scanner) Space(i int) int {
	for i < len(s.Data) {
		switch s.Data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// Value reads any value that starts exactly at i. depth is how many arrays and
// objects are open around it.
func (s *Scanner) Value(i, depth int) int {
	if i >= len(s.Data) {
		return s.bad(i, Syntax)
	}
	switch s.Data[i] {
	case '"':
		return s.String(i)
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
		return s.Number(i)
	}
}

func (s *Scanner) literal(i int, word string) int {
	if len(s.Data)-i < len(word) || string(s.Data[i:i+len(word)]) != word {
		return s.bad(i, Syntax)
	}
	return i + len(word)
}

func (s *Scanner) array(i, depth int) int {
	if depth > s.MaxDepth {
		return s.bad(i, Depth)
	}
	i = s.Space(i + 1)
	if i < len(s.Data) && s.Data[i] == ']' {
		return i + 1
	}
	for {
		if i = s.Value(s.Space(i), depth); i < 0 {
			return -1
		}
		i = s.Space(i)
		if i >= len(s.Data) {
			return s.bad(i, Syntax)
		}
		switch s.Data[i] {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return s.bad(i, Syntax)
		}
	}
}

func (s *Scanner) object(i, depth int) int {
	if depth > s.MaxDepth {
		return s.bad(i, Depth)
	}
	start := i
	var ref Ref
	i = s.Space(i + 1)
	if i < len(s.Data) && s.Data[i] == '}' {
		return i + 1
	}
	for {
		i = s.Space(i)
		if i >= len(s.Data) || s.Data[i] != '"' {
			return s.bad(i, Syntax)
		}
		name := i
		if i = s.String(i); i < 0 {
			return -1
		}
		nameEnd := i
		i = s.Space(i)
		if i >= len(s.Data) || s.Data[i] != ':' {
			return s.bad(i, Syntax)
		}
		val := s.Space(i + 1)
		if i = s.Value(val, depth); i < 0 {
			return -1
		}
		if s.Attachments >= 0 {
			ref.Member(s.Data[name:nameEnd], s.Data[val:i])
		}
		i = s.Space(i)
		if i >= len(s.Data) {
			return s.bad(i, Syntax)
		}
		switch s.Data[i] {
		case ',':
			i++
		case '}':
			if ref.Is() && !ref.Valid(s.Attachments) {
				return s.bad(start, Placeholder)
			}
			return i + 1
		default:
			return s.bad(i, Syntax)
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

// String reads a string; i is at its opening quote.
func (s *Scanner) String(i int) int {
	data := s.Data
	i++
	for {
		for i+8 <= len(data) && special(binary.LittleEndian.Uint64(data[i:])) == 0 {
			i += 8
		}
		for ; ; i++ {
			if i >= len(data) {
				return s.bad(i, Syntax)
			}
			c := data[i]
			if c == '"' {
				return i + 1
			}
			if c < 0x20 {
				return s.bad(i, Syntax)
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
func (s *Scanner) escape(i int) int {
	data := s.Data
	if i+1 >= len(data) {
		return s.bad(i, Syntax)
	}
	switch data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(data) {
			return s.bad(i, Syntax)
		}
		for _, c := range data[i+2 : i+6] {
			if !isHex(c) {
				return s.bad(i, Syntax)
			}
		}
		return i + 6
	}
	return s.bad(i, Syntax)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *Scanner) digits(i int) int {
	for i < len(s.Data) && '0' <= s.Data[i] && s.Data[i] <= '9' {
		i++
	}
	return i
}

// Number reads a number (RFC 8259, section 6). Its magnitude is not limited:
// digits are relayed as written.
func (s *Scanner) Number(i int) int {
	data, start := s.Data, i
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i >= len(data):
		return s.bad(start, Syntax)
	case data[i] == '0':
		i++
	case '1' <= data[i] && data[i] <= '9':
		i = s.digits(i)
	default:
		return s.bad(start, Syntax)
	}
	if i < len(data) && data[i] == '.' {
		first := i + 1
		if i = s.digits(first); i == first {
			return s.bad(start, Syntax)
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		first := i
		if i = s.digits(first); i == first {
			return s.bad(start, Syntax)
		}
	}
	return i
}
