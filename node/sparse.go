package node

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// maxLines is how many lines of one kind are logged in a second. Clients can cause
// them at will.
const maxLines = 10

// sparse is a log of lines that clients cause. Of those of one kind over maxLines a
// second the next one says how many were left out; what they are about is counted
// in Stats in any case. The zero value is ready. Safe for concurrent use.
type sparse struct {
	mu    sync.Mutex
	kinds map[string]*lineCount // by constants of this package
}

type lineCount struct {
	second time.Time // when counting began
	lines  int       // in that second
	left   int       // not logged since the last line that was
}

// admit reports whether a line may be logged at a time, and how many were not
// since the last one that was.
func (p *sparse) admit(kind string, now time.Time) (left int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.kinds[kind]
	if c == nil {
		if p.kinds == nil {
			p.kinds = make(map[string]*lineCount)
		}
		c = new(lineCount)
		p.kinds[kind] = c
	}
	if now.Sub(c.second) >= time.Second {
		c.second, c.lines = now, 0
	}
	if c.lines == maxLines {
		c.left++
		return 0, false
	}
	c.lines++
	left, c.left = c.left, 0
	return left, true
}

// say logs a line that clients can cause.
func (srv *Server) say(level slog.Level, msg string, attrs ...any) {
	ctx := context.Background()
	if !srv.cfg.Logger.Enabled(ctx, level) {
		return
	}
	left, ok := srv.sparse.admit(msg, time.Now())
	if !ok {
		return
	}
	if left > 0 {
		attrs = append(attrs, "left_out", left)
	}
	srv.cfg.Logger.Log(ctx, level, msg, attrs...)
}
