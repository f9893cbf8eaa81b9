package daemon

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/siod-io/siod/internal/config"
)

// Levels are the least levels that are logged; they change while the server
// runs.
type Levels struct {
	server, transport slog.LevelVar
}

// NewLevels returns the configured levels.
func NewLevels(c *config.Loaded) *Levels {
	l := &Levels{}
	l.Set(c)
	return l
}

// Set changes the levels to those of another configuration.
func (l *Levels) Set(c *config.Loaded) {
	server, transport := c.LogLevels()
	l.server.Set(server)
	l.transport.Set(transport)
}

// NewLogger returns the server's logger. Lines are JSON unless w is a terminal
// or the configuration says otherwise.
func NewLogger(w io.Writer, c *config.Loaded, l *Levels) *slog.Logger {
	// The form writes whatever reaches it: the levels decide before.
	all := &slog.HandlerOptions{Level: slog.LevelDebug}
	var h slog.Handler
	if c.Log.Format == "text" || c.Log.Format == "auto" && isTerminal(w) {
		h = slog.NewTextHandler(w, all)
	} else {
		h = slog.NewJSONHandler(w, all)
	}
	return slog.New(&leveled{h, &l.server})
}

// ForTransport returns the transport's logger, which has a level of its own.
func (l *Levels) ForTransport(log *slog.Logger) *slog.Logger {
	h := log.Handler()
	if lh, ok := h.(*leveled); ok {
		h = &leveled{lh.Handler, &l.transport}
	}
	return slog.New(h).With("component", "transport")
}

// leveled puts a level before a handler.
type leveled struct {
	slog.Handler
	level *slog.LevelVar
}

// Enabled implements slog.Handler.
func (h *leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h *leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &leveled{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h *leveled) WithGroup(name string) slog.Handler {
	return &leveled{h.Handler.WithGroup(name), h.level}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
