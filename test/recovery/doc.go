// Package recovery drops connections, thousands of them, and checks every event
// that every client receives against a plain model: connection state recovery
// as a whole, with real servers, Go clients and the official JavaScript client.
//
// Servers stand on one hub: one of them, three, or three of which one is
// stopped for a while and one dies. Clients live behind links that break after
// a random number of bytes or a random time, sometimes without the server
// noticing. Meanwhile rooms are joined and left, and events are emitted:
// durable ones to rooms, direct ones (also on sockets that their clients have
// left), fast and volatile ones, with and without arguments, some ending in
// text. The model knows what each session is due, in order. A gap, a double, an
// event out of order, one without its offset or a recovery that was said and
// not kept is a fault; so is a session that was not recovered although the
// rules allow it, if there is one in a hundred.
//
// The goroutines are those of the servers and clients, one for each source of
// events and of drops, and two for each connection of a JavaScript client; all
// end with the test. A session's lock is taken under the model's.
//
// The tests are short. `make recovery DROPS=10000 SEED=7`, or
//
//	go test ./test/recovery -run Drops -drops 10000 -seed 7 -v
//
// takes what the flags say. Figures and seed are printed. A seed repeats the
// plan of emits and the strength of the links; what goes on at the same time
// is left to the machine.
package recovery
