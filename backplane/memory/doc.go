// Package memory is the backplane within one process: of a single node, and of
// several that share a [Hub], as in tests and examples. It implements
// backplane.Backplane, Logged and Occupancy; it has no session journal, since
// nothing here survives the process (V21).
//
//	bp := memory.New() // one node, nobody else
//
//	hub := memory.NewHub(memory.Config{})
//	a, err := hub.Join("a")
//	b, err := hub.Join("b")
//	hub.Freeze("b") // b looks like a stopped process until hub.Thaw("b")
//
// It reads as the specification of the interfaces: what it does is right for
// every implementation, except that it is immediate. Faults are injected with
// the methods of Hub in faults.go.
//
// # Goroutines
//
// A member has a goroutine that calls its handlers while deliveries wait, and
// one for each log while appends wait. A hub of one therefore has none. Log
// entries are applied on the goroutine of whoever appends, in one critical
// section with the assignment of the sequence.
//
// # Locks
//
// In this order: hubLog.mu (several by index) → Hub.mu → queue.mu and
// request.mu. LogHandlers are called under hubLog.mu; the handler of a
// subscription, a room watch or an append under no lock.
package memory
