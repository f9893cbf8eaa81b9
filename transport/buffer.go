package transport

import "sync"

// buffer is a pooled byte slice. Idle connections hold none.
type buffer struct {
	b    []byte
	busy bool // see retry.keep
}

// readSize is the size of a read buffer: several small events, one page.
const readSize = 4096

// keepBuffer bounds what goes back to the pool: one large message must not
// stay in memory.
const keepBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, readSize)} }}

func getBuffer() *buffer { return buffers.Get().(*buffer) }

func putBuffer(b *buffer) {
	if cap(b.b) > keepBuffer {
		return
	}
	b.b = b.b[:0]
	buffers.Put(b)
}
