package engineio

import (
	"bytes"
	"encoding/base64"
)

// decodeBase64 decodes the standard alphabet with complete, partial or no
// padding. The reference server goes further and skips what it does not know;
// no client sends such a thing, so here it is an error.
func decodeBase64(b []byte, mem *arena, rest int) (data []byte, reason string) {
	for pad := 0; pad < 2 && len(b) > 0 && b[len(b)-1] == '='; pad++ {
		b = b[:len(b)-1]
	}
	// encoding/base64 would skip line ends.
	if bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0 {
		return nil, reasonBase64
	}
	n := base64.RawStdEncoding.DecodedLen(len(b))
	if mem != nil {
		data = mem.take(n, base64.RawStdEncoding.DecodedLen(rest))
	} else {
		data = make([]byte, n)
	}
	if _, err := base64.RawStdEncoding.Decode(data, b); err != nil {
		return nil, reasonBase64
	}
	return data, ""
}

// arenaChunk is the size from which memory for decoded records is allocated
// record by record.
const arenaChunk = 4096

// arena hands out memory for the decoded records of one payload, so that a
// payload of very many tiny records costs an allocation for every few kilobytes
// and not for every record. Its pieces are never handed out twice.
type arena struct{ free []byte }

// take returns n bytes. At most rest more will be asked for, which keeps the
// arena of a small payload small: what is allocated in total is at most twice
// the sum of all n, plus one chunk.
func (a *arena) take(n, rest int) []byte {
	if n > len(a.free) {
		a.free = make([]byte, n+min(rest, max(0, arenaChunk-n)))
	}
	piece := a.free[:n:n]
	a.free = a.free[n:]
	return piece
}
