// Package badinput sends a server what no honest client would send, and checks
// the stated answer: a status and body, a close code, or the end of the session.
// Each row of the list of known attacks is a subtest with its number; the rows
// are those of the threat model in SECURITY.md.
//
// Around every row the same things must hold: the server lives, a client in
// another session has each of its requests answered in time, and when the
// attacker has gone, goroutines and descriptors are back to what they were.
//
// Each group of rows has a server of its own, a process of loadtest/target, and
// its rows run one after the other, so that what is left over can be laid at the
// right door.
package badinput
