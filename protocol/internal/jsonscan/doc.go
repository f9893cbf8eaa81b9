// Package jsonscan validates JSON in one pass without copying or allocating
// (RFC 8259), and knows the placeholders that stand for attachments in
// Socket.IO packets. It is shared by package protocol, which scans what clients
// send, and package msgpack, which turns JSON into MessagePack.
//
// Raw arguments are relayed to other clients, so the whole text is checked, not
// only its outline (R10). Two liberties are those of JavaScript: names may
// repeat, and an escape may spell a lone surrogate. Bytes over 0x7f are taken
// as they are, because UTF-8 is checked once per message by the transport.
//
// Everything here is a pure function of its input: no I/O, no goroutine, no
// lock, no state beyond the Scanner value.
package jsonscan
