package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/internal/daemon"
	"github.com/siod-io/siod/node"
)

// serve makes the app for its place in the cluster, and runs it until ctx ends, and says on out when it is
// ready.
func serve(ctx context.Context, o *options, levels *daemon.Levels, log *slog.Logger, make app, out io.Writer) error {
	files, err := daemon.Files(o.Loaded)
	if err != nil {
		return err
	}
	d := &daemon.Daemon{
		Config: o.Loaded, Levels: levels, Log: log,
		Stats: func() node.Stats { return o.stats() },
		Listening: func(clients, _ net.Addr) {
			fmt.Fprintln(out, "listening", clients)
		},
	}
	d.Make = func(n *cluster.Node) error {
		o.place = n
		h, shutdown, err := make(o, log)
		if err != nil {
			return err
		}
		d.Handler = daemon.Bundle(o.Path, o.ClientBundle, beside(o.Path, h, files))
		d.Shutdown = shutdown
		return nil
	}
	return d.Run(ctx)
}

// beside serves the endpoints from h and everything else from files.
func beside(path string, h, files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; strings.HasPrefix(p, path) || strings.HasPrefix(p, enginePath) {
			h.ServeHTTP(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// enginePath is where the app engine serves.
const enginePath = "/engine.io/"
