package node

import (
	"log/slog"
	"time"
)

// What tests look at from the inside.

// OpenCollections is how many broadcasts wait for acknowledgements.
func OpenCollections(srv *Server) int {
	srv.collectors.mu.Lock()
	defer srv.collectors.mu.Unlock()
	return len(srv.collectors.open)
}

// Awaiting is how many acknowledgements a socket's connection is waited for.
func Awaiting(s *Socket) int { return int(s.conn.awaiting.Load()) }

// Journaled reports whether the socket's session has been recorded, and what is
// being recorded has been.
func Journaled(s *Socket) bool {
	s.mu.Lock()
	ss := s.rec
	s.mu.Unlock()
	ss.pen.Lock()
	defer ss.pen.Unlock()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.journaled
}

// Running is how many goroutines Shutdown would wait for.
func Running(srv *Server) int { return int(srv.tasks.running.Load()) }

// SetMarks moves the generation of marks, which wraps after 4,294,967,295
// broadcasts to several rooms.
func SetMarks(ns *Namespace, gen uint32) {
	for _, x := range ns.index {
		x.mu.Lock()
		x.gen = gen
		x.mu.Unlock()
	}
}

// TransportLogger is the logger that the transport was given.
func TransportLogger(srv *Server) *slog.Logger { return srv.cfg.Transport.Logger }

// GoneFor is how long another server has been known to be gone.
func GoneFor(srv *Server, id string) time.Duration {
	l := &srv.recovery.journal.loads
	l.mu.Lock()
	defer l.mu.Unlock()
	since, ok := l.gone[id]
	if !ok {
		return 0
	}
	return time.Since(since)
}

// Degraded reports whether events were delivered that no log has, without a
// break behind them yet.
func Degraded(srv *Server) bool { return srv.degraded.pending() }
