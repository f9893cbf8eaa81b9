package node

import (
	"strings"

	"github.com/siod-io/siod/backplane"
)

// idLen is the length of a socket id made here: the token and 120 bits.
const idLen = backplane.HomeLen + 20

// looksLikeID reports whether a room's name has the form of a socket id, so
// that the room is the socket's own or one for its guests (R21).
func looksLikeID(room string) bool {
	if i := strings.LastIndexByte(room, '#'); i >= 0 {
		room = room[i+1:]
	}
	if len(room) != idLen {
		return false
	}
	for i := range len(room) {
		c := room[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
