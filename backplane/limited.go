package backplane

import "math"

// Limited is an optional interface of a Backplane that says what it takes, so that
// a node can look before it gives up what it is about to send. Use MaxPayload to
// ask.
type Limited interface {
	// Limits returns the limits of envelopes that this node sends, always the
	// same. Zero fields mean the defaults.
	Limits() Limits
}

// MaxPayload returns the bytes of Frames and Data together that an envelope of
// this node may have, math.MaxInt if b does not say. What is within it may still
// be refused for other reasons.
func MaxPayload(b Backplane) int {
	if l, ok := b.(Limited); ok {
		return l.Limits().withDefaults().Payload
	}
	return math.MaxInt
}
