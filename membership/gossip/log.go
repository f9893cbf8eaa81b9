package gossip

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxLine is how much of a line of memberlist is kept, in bytes. Names and
	// announcements of others are in it.
	maxLine = 256

	// maxLines is how many lines of memberlist are logged in a second. Anybody
	// who reaches the port can cause them.
	maxLines = 10
)

// lineLog is where memberlist logs. It turns lines such as
//
//	[WARN] memberlist: Refuting a suspect message (from: x)
//
// into records, and leaves out what is over maxLines.
type lineLog struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	second  time.Time // when counting began
	lines   int       // in that second
	dropped uint64    // of them, not logged
	total   uint64    // dropped since the start
}

// logger returns the logger to give to memberlist.
func (l *lineLog) logger() *log.Logger { return log.New(l, "", 0) }

// lineLevels says how grave memberlist's levels are here: what it calls an error
// is a packet or a peer that failed, which it lives with.
var lineLevels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug,
	"INFO":  slog.LevelInfo,
	"WARN":  slog.LevelWarn,
	"ERR":   slog.LevelWarn,
	"ERROR": slog.LevelWarn,
}

// Write implements io.Writer. Each call is one line. It never fails.
func (l *lineLog) Write(p []byte) (int, error) {
	level, text := splitLine(p)
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return len(p), nil
	}
	dropped, ok := l.admit()
	if dropped > 0 {
		l.log.Warn("lines of gossip left out", "lines", dropped)
	}
	if ok {
		l.log.Log(ctx, level, "gossip", "detail", string(text[:min(len(text), maxLine)]))
	}
	return len(p), nil
}

// admit reports whether a line may be logged, and how many were not in the
// second that ended with it.
func (l *lineLog) admit() (dropped uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.second) >= time.Second {
		dropped = l.dropped
		l.second, l.lines, l.dropped = now, 0, 0
	}
	if l.lines == maxLines {
		l.dropped++
		l.total++
		return dropped, false
	}
	l.lines++
	return dropped, true
}

func (l *lineLog) suppressed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// splitLine takes the level and the prefix off a line. A line without a level
// is a warning.
func splitLine(p []byte) (slog.Level, []byte) {
	p = bytes.TrimSpace(p)
	level := slog.LevelWarn
	if head, rest, ok := bytes.Cut(p, []byte("] ")); ok && len(head) > 1 && head[0] == '[' {
		if known, ok := lineLevels[string(head[1:])]; ok {
			level, p = known, rest
		}
	}
	return level, bytes.TrimPrefix(p, []byte("memberlist: "))
}
