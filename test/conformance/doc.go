// Package conformance checks from outside that the server keeps to the public
// protocols: Engine.IO revision 4, Engine.IO revision 3 and Socket.IO revision
// 5, each check a subtest with a name. The checks speak raw HTTP and raw
// WebSocket frames to loadtest/target, one by one and then four suites at once.
//
// Heartbeats are short here: a ping every 300 ms and 200 ms for its answer, as
// in the public suites of the protocols, and a second to connect to a namespace.
//
// To hold the checks against another server, start it with those settings and
// name its address: SIOD_CONFORMANCE_ENGINE4 and SIOD_CONFORMANCE_ENGINE3 for an
// Engine.IO echo under /engine.io/ (without and with revision 3), and
// SIOD_CONFORMANCE_SOCKET5 for Socket.IO under /socket.io/ with the handlers of
// `target --app protocol`. The suite then leaves its own server out.
package conformance
