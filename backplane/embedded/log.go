package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog is the logger of nats-server. It writes to a slog.Logger, keeps
// passwords out of it, and remembers what the server called fatal, since that is
// how one says why it did not start.
type serverLog struct {
	to       *slog.Logger
	secrets  *strings.Replacer
	unwanted []string
	dir      string // of the store, to be named when that stops

	once   sync.Once
	failed chan struct{} // closed when reason is set
	reason string
}

// Texts that are no news.
var (
	// Of every server: passwords are random and in memory only.
	unwanted = []string{"Plaintext passwords detected"}

	// Of a single store node in a mesh, which begins alone and with help.
	unwantedOfSingle = []string{"Waiting for routing", "nsafe quorum rescue", "contact with a meta leader"}
)

// storeStops are in what nats-server says when it cannot write and gives up
// JetStream until it is started again.
var storeStops = []string{"will be DISABLED", "disabling JetStream"}

// newServerLog hides secrets, and what is unwanted, from what is logged.
func newServerLog(to *slog.Logger, secrets, unwanted []string) *serverLog {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	return &serverLog{
		to: to, secrets: strings.NewReplacer(pairs...), unwanted: unwanted, failed: make(chan struct{}),
	}
}

func (l *serverLog) log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if !l.to.Enabled(ctx, level) {
		return
	}
	text := l.text(format, args)
	for _, part := range l.unwanted {
		if strings.Contains(text, part) {
			return
		}
	}
	l.to.Log(ctx, level, "nats server", slog.String("text", text))
}

func (l *serverLog) text(format string, args []any) string {
	return l.secrets.Replace(strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Noticef is for the life of connections and for banners.
func (l *serverLog) Noticef(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

func (l *serverLog) Warnf(format string, args ...any) { l.log(slog.LevelWarn, format, args) }

// Errorf is for what the server tries again by itself, such as a route.
func (l *serverLog) Errorf(format string, args ...any) {
	l.log(slog.LevelWarn, format, args)
	for _, part := range storeStops {
		if strings.Contains(format, part) {
			l.to.Error("the store of this node stopped: make room on its disk, then restart the node", "dir", l.dir)
		}
	}
}

func (l *serverLog) Debugf(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

func (l *serverLog) Tracef(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

// Fatalf is called where nats-server, as a process of its own, would exit. Start
// returns the reason; one that comes later is logged.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.once.Do(func() {
		l.reason = l.text(format, args)
		close(l.failed)
	})
	l.log(slog.LevelError, format, args)
}

// err returns what was fatal, or nil.
func (l *serverLog) err() error {
	select {
	case <-l.failed:
		return fmt.Errorf("nats-server: %s", l.reason)
	default:
		return nil
	}
}
