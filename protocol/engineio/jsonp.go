package engineio

import "bytes"

// JSONPIndex returns the digits of j, the query parameter by which a JSONP
// client names its callback. Everything else is dropped, since the index is
// written into a script that the browser runs.
func JSONPIndex(j string) string {
	for i := range len(j) {
		if !isDigit(j[i]) {
			return string(appendDigits(make([]byte, 0, len(j)), j))
		}
	}
	return j
}

// AppendJSONP appends to dst the script that hands payload, a text payload of
// either revision, to the callback with the given index:
//
//	___eio[3]("4hello");
//
// Characters of index other than digits are dropped, as by JSONPIndex.
func AppendJSONP(dst []byte, index string, payload []byte) []byte {
	dst = append(dst, "___eio["...)
	dst = appendDigits(dst, index)
	dst = append(dst, "]("...)
	dst = appendString(dst, payload)
	return append(dst, ");"...)
}

// DecodeJSONPBody undoes what a JSONP client does to the newlines of a payload
// before it posts the payload as the form field d: a newline becomes \n, and a
// \n that was there before becomes \\n. Hence a \n that follows a backslash
// loses that backslash, and any other \n becomes a newline.
//
// d is the value of the field, see FormData. It is overwritten, and the result
// is its beginning.
func DecodeJSONPBody(d []byte) []byte {
	w, slashes := 0, 0
	for _, c := range d {
		if c == 'n' && slashes > 0 {
			// Either way the backslash in front, already written, goes.
			w--
			if slashes == 1 {
				c = '\n'
			}
		}
		if c == '\\' {
			slashes++
		} else {
			slashes = 0
		}
		d[w] = c
		w++
	}
	return d[:w]
}

// FormData returns the decoded value of the field d in a body of the type
// application/x-www-form-urlencoded; the first one if there are several. It is
// a *SyntaxError if there is none or if it has a malformed escape.
//
// The result aliases body if nothing had to be decoded; otherwise it is the
// only allocation, not longer than body.
func FormData(body []byte) ([]byte, error) {
	for off := 0; off < len(body); {
		field := body[off:]
		if i := bytes.IndexByte(field, '&'); i >= 0 {
			field = field[:i]
		}
		if len(field) >= 2 && field[0] == 'd' && field[1] == '=' {
			return unescapeForm(field[2:], off+2)
		}
		off += len(field) + 1
	}
	return nil, &SyntaxError{Form: "form", Offset: len(body), Reason: "no field d"}
}

// unescapeForm decodes a value that begins at off in the body.
func unescapeForm(value []byte, off int) ([]byte, error) {
	if !bytes.ContainsAny(value, "%+") {
		return clip(value), nil
	}
	dst := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(value) || unhex(value[i+1])|unhex(value[i+2]) > 15 {
				return nil, &SyntaxError{Form: "form", Offset: off + i, Reason: "malformed percent escape"}
			}
			c = unhex(value[i+1])<<4 | unhex(value[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// unhex returns the value of the hexadecimal digit c, or 0xff.
func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	default:
		return 0xff
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// appendDigits appends the decimal digits of s.
func appendDigits(dst []byte, s string) []byte {
	for i := range len(s) {
		if isDigit(s[i]) {
			dst = append(dst, s[i])
		}
	}
	return dst
}
