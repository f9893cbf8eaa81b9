package node

import "log/slog"

// What tests look at from the inside.

// OpenCollections is how many broadcasts wait for acknowledgements.
func OpenCollections(srv *Server) int {
	srv.collectors.mu.Lock()
	defer srv.collectors.mu.Unlock()
	return len(srv.collectors.open)
}

// Awaiting is how many acknowledgements a socket's connection is waited for.
func Awaiting(s *Socket) int { return int(s.conn.awaiting.Load()) }

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
