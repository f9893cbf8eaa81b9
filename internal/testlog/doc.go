// Package testlog keeps what a part logs, for a test that reads it while the part
// runs.
//
//	var log testlog.Buffer
//	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
package testlog

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer holds all that was written to it. The zero value is empty. It is safe for
// concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written so far.
func (l *Buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Reset forgets what was written so far.
func (l *Buffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// Count is how often a text was written so far.
func (l *Buffer) Count(text string) int { return strings.Count(l.String(), text) }

// Has reports whether a text was written.
func (l *Buffer) Has(text string) bool { return l.Count(text) > 0 }
