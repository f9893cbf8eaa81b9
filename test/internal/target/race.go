//go:build race

package target

// Race says that the program is built with the race detector, which multiplies
// its memory.
const Race = true
