// Package protocol is the Socket.IO packet codec, revisions 4 and 5 (clients
// 1.3.5 to 4.8): bytes in, packets out, and back.
package protocol
