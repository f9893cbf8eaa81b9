package engineio

import (
	"errors"
	"strconv"
)

// ErrPacket is wrapped by every error that a decoder of this package finds in
// its input. What else a payload decoder returns came from its yield function.
var ErrPacket = errors.New("engineio: malformed packet")

// SyntaxError says what is wrong with an input and where. The reference
// servers close the session with the reason "parse error" in this case.
type SyntaxError struct {
	// Form names the form that was being decoded, such as "v4 payload".
	Form string
	// Offset is the position in the input, in bytes, at which the error was
	// noticed; at most the length of the input.
	Offset int
	// Reason is fixed text: it quotes nothing of the input.
	Reason string
}

// Error returns the form, the offset and the reason.
func (e *SyntaxError) Error() string {
	return "engineio: malformed " + e.Form + " at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// Unwrap returns ErrPacket.
func (e *SyntaxError) Unwrap() error { return ErrPacket }
