// Package kill ends server processes by SIGKILL, one after the other, while
// clients come, join, leave and receive, and checks every event that every
// client got against the log itself: connection state recovery as a cluster
// promises it.
//
// Each server is a process of this test's own binary, put together from
// gossip, an embedded NATS server, the backplane on it and a node; three of
// them store the log and the sessions, on disk. All emit durable events to
// rooms, say on their output which were acknowledged, and are killed without a
// word, the log's leader among them; each is started again as a new boot of the
// same name. Clients, those of socket.io-client 4.8.4 and those of package
// client, go to any server and to another one when theirs is gone. They join
// and leave rooms all the time.
//
// # What is checked
//
// At the end the log is read from its first entry. It is the truth: of each
// session, which is what a client has from one connect that recovered nothing
// to the next, every entry for a room that the client was in has to be among
// what it received, once and in the log's order, up to the last event that it
// got, and up to the log's end if nothing ended it. What a server acknowledged
// has to be in the log, once. Where a join or leave falls is known by the
// positions that clients are told, or told to lie between; within these bounds
// what came must be one piece.
//
// A change of a session that could not be stored in time is said by
// ErrNotJournaled. Sessions whose server was killed under it, or in the middle
// of a change, are listed apart. So is an event that the JavaScript client
// decoded in the moment at which its connection ended: it keeps it for later,
// and asks for it again, since it counts events when it hands them out.
//
// Some clients stay away until their session is over, and have to be told so.
//
// TestFaults checks the same while the log's leader gives up its place or is
// killed all the time, routes between servers are reset, and servers are cut off
// from each other. Each server is then on a host of its own: the test runs in
// namespaces of Linux that are gone with it, and needs no rights for that.
//
// TestFullDisk fills the disks of the stores, one and then all.
//
// TestStorm kills the server that all clients are on.
//
// TestRequestsAtDeath kills a server that has hundreds of requests to answer.
//
// # Goroutines and locks
//
// One goroutine reads each server process, one all JavaScript clients; the run
// has one that kills, one that has rooms changed and one that sends clients
// away. All end with the test. A client's lock is a leaf but for the model's.
//
// The test is short. `make kill KILLS=20 SEED=7`, or
//
//	go test ./test/kill -run Kill -kills 20 -clients 300 -seed 7 -v
//	go test ./test/kill -run Faults -faults 60s -clients 180 -rate 500 -v
//	go test ./test/kill -run Storm -storm 5000 -v
//
// takes what the flags say. A seed repeats the plan; what goes on at the same
// time is left to the machine.
package kill
