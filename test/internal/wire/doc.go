// Package wire holds raw HTTP and WebSocket clients for tests that look at a
// server from outside, byte by byte. They know nothing of Socket.IO, use no
// code of the server, and say exactly what they are told to, right or wrong.
//
// It stands below the black-box tiers of test/. A client belongs to one test
// and one goroutine; it starts no goroutines of its own. Every read and write
// has a deadline, and what goes wrong ends the test with a message that quotes
// the bytes. Connections close when the test ends.
//
//	x := wire.Start(t, addr, wire.Request{Target: "/engine.io/?EIO=4&transport=polling"})
//	open := x.Response()
//	ws := wire.Dial(t, addr, "/engine.io/?EIO=4&transport=websocket")
//	ws.Text("4hello")
//	ws.Expect("4hello")
package wire
