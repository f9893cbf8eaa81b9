// Package daemon runs a server as a process of its own: two listeners, probes,
// metrics, profiles, the log, reloading, and an orderly end.
//
// It stands beneath the commands, which make the server and its handlers, and
// above packages config and metrics. Libraries do not use it.
//
//	levels := daemon.NewLevels(cfg)
//	log := daemon.NewLogger(os.Stderr, cfg, levels)
//	srv, err := node.New(…)
//	d := &daemon.Daemon{
//		Config: cfg, Levels: levels, Log: log,
//		Handler: srv.Handler(daemon.Files(cfg)), Stats: srv.Stats,
//		Healthy: bp.Healthy, Shutdown: srv.Shutdown,
//	}
//	err = d.Run(ctx) // until ctx ends
//
// # Goroutines
//
// Run has one for each listener and one that waits for reloads; all have ended
// when it returns.
package daemon
