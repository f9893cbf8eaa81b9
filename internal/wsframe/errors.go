package wsframe

import "strconv"

// Violation names the rule that a peer broke. Its String is one word of a
// closed set, fit for a metric label.
type Violation uint8

// The violations a Reader reports.
const (
	_                  Violation = iota
	BadReservedBits              // a reserved bit without an extension that gives it a meaning
	BadOpcode                    // opcode 3–7 or 11–15
	BadMask                      // unmasked client frame or masked server frame
	BadLength                    // 64-bit length with the top bit set
	BadControl                   // control frame over 125 bytes or fragmented
	BadContinuation              // continuation without a message under way
	BadInterleave                // new data frame inside a fragmented message
	BadClosePayload              // close payload of one byte
	BadCloseCode                 // close code that must not be sent
	BadCloseReason               // close reason that is not UTF-8
	BadText                      // text message that is not UTF-8
	BadDeflate                   // compressed message that cannot be inflated
	TooBig                       // message over Config.MaxMessage
	TooManyFragments             // message in more frames than Config.MaxFragments
	TooManyEmptyFrames           // long run of empty frames inside one message
	TooHighRatio                 // inflates to more than maxRatio times its size
	violationCount
)

// CloseError says that the peer broke the protocol or a limit. The connection
// is to be closed with Code and Reason in the close frame (RFC 6455 section
// 7.1.7); nothing more can be read from it. Values are shared: do not change
// them.
type CloseError struct {
	// Code is the close status: 1002 protocol error, 1007 invalid data, 1008
	// policy, 1009 too big (RFC 6455 section 7.4.1).
	Code uint16
	// Reason is short ASCII text for the close frame. It quotes nothing that
	// the peer sent.
	Reason string
	// Violation is the rule broken, for metrics.
	Violation Violation
}

// Error implements error.
func (e *CloseError) Error() string {
	return "wsframe: " + e.Reason + " (close " + strconv.Itoa(int(e.Code)) + ")"
}

// String returns the label of v, such as "bad_mask".
func (v Violation) String() string {
	if v >= violationCount || labels[v] == "" {
		return "unknown"
	}
	return labels[v]
}

// Close statuses used here (RFC 6455 section 7.4.1).
const (
	codeProtocol  = 1002
	codeNoStatus  = 1005
	codeInvalid   = 1007
	codePolicy    = 1008
	codeTooBig    = 1009
	maxReasonSize = 123 // 125 bytes of control payload less the code
)

var labels = [violationCount]string{
	BadReservedBits:    "bad_reserved_bits",
	BadOpcode:          "bad_opcode",
	BadMask:            "bad_mask",
	BadLength:          "bad_length",
	BadControl:         "bad_control",
	BadContinuation:    "bad_continuation",
	BadInterleave:      "bad_interleave",
	BadClosePayload:    "bad_close_payload",
	BadCloseCode:       "bad_close_code",
	BadCloseReason:     "bad_close_reason",
	BadText:            "bad_text",
	BadDeflate:         "bad_deflate",
	TooBig:             "too_big",
	TooManyFragments:   "too_many_fragments",
	TooManyEmptyFrames: "too_many_empty_frames",
	TooHighRatio:       "too_high_ratio",
}

// closeErrors holds one shared value per violation, so that an attack does not
// make the server allocate.
var closeErrors = [violationCount]CloseError{
	BadReservedBits:    {codeProtocol, "reserved bit set", BadReservedBits},
	BadOpcode:          {codeProtocol, "reserved opcode", BadOpcode},
	BadMask:            {codeProtocol, "wrong masking", BadMask},
	BadLength:          {codeProtocol, "frame length over 63 bits", BadLength},
	BadControl:         {codeProtocol, "control frame fragmented or over 125 bytes", BadControl},
	BadContinuation:    {codeProtocol, "continuation without a message", BadContinuation},
	BadInterleave:      {codeProtocol, "data frame inside a fragmented message", BadInterleave},
	BadClosePayload:    {codeProtocol, "close payload of one byte", BadClosePayload},
	BadCloseCode:       {codeProtocol, "close code not allowed", BadCloseCode},
	BadCloseReason:     {codeInvalid, "close reason is not UTF-8", BadCloseReason},
	BadText:            {codeInvalid, "text is not UTF-8", BadText},
	BadDeflate:         {codeInvalid, "compressed data is corrupt", BadDeflate},
	TooBig:             {codeTooBig, "message too big", TooBig},
	TooManyFragments:   {codePolicy, "too many fragments", TooManyFragments},
	TooManyEmptyFrames: {codePolicy, "too many empty frames", TooManyEmptyFrames},
	TooHighRatio:       {codeTooBig, "compression ratio too high", TooHighRatio},
}
