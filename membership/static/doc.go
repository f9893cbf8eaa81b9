// Package static is a membership without a network: a fixed list, and groups
// within one process whose members come and go by method calls, for tests and
// for several servers on one in-memory hub. It implements
// membership.Membership.
//
//	m, err := static.New(self)                 // one node
//	m, err := static.New(self, other, another) // as configured
//
//	group := static.NewGroup()
//	a, err := group.Join(membership.Member{ID: "a"})
//	b, err := group.Join(membership.Member{ID: "b"})
//	group.Kill("b") // a's watches report it as gone
//
// # Goroutines and locks
//
// Only watches have goroutines. Group.mu comes before the lock of a
// membership.Table; nothing else is called while it is held.
package static
