// Package daemon runs a server as a process of its own: two listeners, probes,
// metrics, profiles, the log, reloading, and an orderly end.
//
// It stands beneath the commands, which make the server and its handlers, and
// above packages config, cluster and metrics. Libraries do not use it.
//
//	levels := daemon.NewLevels(cfg)
//	log := daemon.NewLogger(os.Stderr, cfg, levels)
//	d := &daemon.Daemon{Config: cfg, Levels: levels, Log: log}
//	d.Make = func(n *cluster.Node) error {
//		c := cfg.Node()
//		n.Configure(&c)
//		srv, err := node.New(c)
//		…
//		d.Handler, d.Stats, d.Shutdown = srv.Handler(files), srv.Stats, srv.Shutdown
//		return nil
//	}
//	err = d.Run(ctx) // until ctx ends
//
// The internal listener answers probes from the first moment, since a store node
// waits for others before clients can connect. At the end the cluster is told
// first, then clients are disconnected, then the cluster is left.
//
// # Goroutines
//
// Run has one for each listener and one that waits for reloads; all have ended
// when it returns.
package daemon
