// Package soak holds a test only: many clients come, join, emit and go, and
// afterwards nothing of them is left: no goroutine, no descriptor, no memory.
//
// It stands above packages node and client, in one process with both, and looks
// at that process. Clients of both revisions come by polling, by WebSocket and
// by an upgrade; they leave in order, are thrown out, or break the connection
// with a reset, some in the middle of an upgrade. One server keeps no sessions,
// the other does, and some of its clients come back.
//
//	go test ./test/soak   # 1,200 clients
//	make soak             # 20,000
//
// The test starts 24 goroutines that each run one client after the other, and
// waits for them. Counters are atomic.
package soak
