package protocol

import "errors"

// Codec turns argument values into JSON and back. It is used when an event is
// born and when a handler asks for an argument, never in between.
//
// Implementations are safe for concurrent use and keep none of the slices they
// are given.
type Codec interface {
	// AppendValue appends the JSON of v to dst. Each binary value in v is
	// appended to bin instead, as a copy nobody else writes to, and stands in
	// the JSON as {"_placeholder":true,"num":n}, n being its index in bin. It
	// returns both slices extended; after an error they are not used.
	AppendValue(dst []byte, bin [][]byte, v any) ([]byte, [][]byte, error)

	// DecodeValue decodes one valid JSON value into dst, a non-nil pointer.
	// Placeholders in raw refer to bin; if bin is empty, they are ordinary
	// objects. Decoded binary values may alias bin and are then read-only.
	DecodeValue(raw []byte, bin [][]byte, dst any) error
}

// JSON is the default codec, on github.com/go-json-experiment/json, the mirror
// of encoding/json/v2. How Go types map to JSON is described there; in short,
// it is encoding/json with nil slices and maps as [] and {}, and field names
// matched by exact case. What differs:
//
//   - []byte (that type itself, no other of its kind) at any depth is an
//     attachment; a nil one is null. Other byte slices and arrays are base64
//     text, as in encoding/json.
//   - Decoding into any gives []byte for attachments, float64 for numbers,
//     map[string]any and []any.
//   - Raw JSON, as jsontext.Value or json.RawMessage, is checked and kept digit
//     for digit, so numbers over 2^53 survive.
//   - NaN and infinities are errors: JSON has none.
//   - As in JavaScript, repeated names are allowed, the last counts, and a lone
//     surrogate in an escape is read as U+FFFD. HTML is not escaped.
//   - time.Duration is a number of nanoseconds.
var JSON Codec = jsonCodec{}

var errRaw = errors.New("protocol: raw JSON argument is invalid")
