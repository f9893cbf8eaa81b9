// Package cluster holds tests only: three server processes with NATS inside
// them, behind HAProxy and behind nginx, are one server to every client. Both
// balancers hand one request after the other to the next node and know nothing
// of sessions.
//
// It stands above the program under test, as test/interop does, whose driver and
// clients it uses: the whole matrix runs with the balancer's address for the
// server's. smoke.mjs goes before it and shows in a few seconds what is wrong
// when nothing works, with events between clients of different nodes.
//
// Nodes are ended in order and killed. With NATS outside, one server or three,
// these are stopped for a while. The whole matrix on such servers takes
//
//	go test ./test/cluster -run Matrix -nats 1
//
// Servers and balancers are processes of the test that starts them, on ports of
// loopback, with everything they write in a directory of the test. A goroutine
// waits for each of them.
package cluster
