package backplane

// Solitary is an optional interface of a Backplane that knows when nobody else
// is on it, so that a node need not make envelopes that nobody would get. Use
// Alone to ask.
type Solitary interface {
	// Alone reports whether this node is the only one now. It costs an atomic
	// load. A node that joins at this moment may miss what is emitted at this
	// moment, as it may in any case.
	Alone() bool
}

// Alone reports whether b knows that nobody else is on it.
func Alone(b Backplane) bool {
	s, ok := b.(Solitary)
	return ok && s.Alone()
}
