package wsframe

import (
	"math/bits"
	"sync"
)

// Buffers come in sizes of 1 KiB << class, pooled up to 1 MiB. Larger ones are
// left to the collector, so that one big message does not stay in memory.
const (
	minChunkBits = 10
	chunkClasses = 11
)

var chunkPools [chunkClasses]sync.Pool

// A chunk is a pooled buffer that grows by replacement.
type chunk struct{ b []byte }

// chunkClass returns the class of the smallest buffer that holds n bytes; it
// may be past the pooled classes.
func chunkClass(n int) int {
	return max(0, bits.Len(uint(max(n, 1)-1))-minChunkBits)
}

// newChunk returns an empty chunk with room for n bytes, at most twice as many.
func newChunk(n int) *chunk {
	class := chunkClass(n)
	if class >= chunkClasses {
		return &chunk{b: make([]byte, 0, n)}
	}
	if c, ok := chunkPools[class].Get().(*chunk); ok {
		return c
	}
	return &chunk{b: make([]byte, 0, 1<<(minChunkBits+class))}
}

// free gives c back. A nil chunk is allowed.
func (c *chunk) free() {
	if c == nil {
		return
	}
	class := chunkClass(cap(c.b))
	if class >= chunkClasses || cap(c.b) != 1<<(minChunkBits+class) {
		return
	}
	c.b = c.b[:0]
	chunkPools[class].Put(c)
}

// grow returns a chunk with c's bytes and room for n more. The chunk c, which
// may be nil, is freed when it is replaced. Capacity at least doubles, and
// never passes twice of what is needed now: memory follows the bytes received.
func (c *chunk) grow(n int) *chunk {
	if c == nil {
		return newChunk(n)
	}
	if cap(c.b)-len(c.b) >= n {
		return c
	}
	g := newChunk(max(len(c.b)+n, min(2*cap(c.b), 2*(len(c.b)+n))))
	g.b = append(g.b, c.b...)
	c.free()
	return g
}
