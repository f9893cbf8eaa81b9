// Package memory is the backplane within one process: of a single node, and of
// several that share a [Hub], as in tests and examples. It implements
// backplane.Backplane, Logged and Occupancy. It has no session journal, since
// nothing here survives the process (V21), unless Config.Sessions asks for one:
// then members recover the sessions of a killed one as nodes of a cluster do.
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
// A member has a goroutine that calls its handlers while deliveries wait, one
// for each log while appends wait, one while session records wait, and one for
// each watch of owners while it tells something. A hub of one without sessions
// therefore has none. Log
// entries are applied on the goroutine of whoever appends, in one critical
// section with the assignment of the sequence.
//
// # Locks
//
// In this order: hubLog.mu (several by index) → hubSessions.mu → Hub.mu →
// queue.mu and request.mu. LogHandlers are called under hubLog.mu; the handler of a
// subscription, a watch, an append or a record under no lock.
package memory
