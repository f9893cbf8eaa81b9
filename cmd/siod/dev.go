package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/daemon"
	"github.com/siod-io/siod/node"
)

const devUsage = `Runs a server for development: as siod serve, with a chat for a demo, and open
to pages of every origin. Never let others reach it.

Usage: siod dev [FLAG...]

Open http://127.0.0.1:3000/ in two windows. The page uses the official client,
from --client-bundle, from node_modules/socket.io-client/dist in the current
directory, or else from a public network of caches.
`

// installed is where npm puts the client.
var installed = filepath.Join("node_modules", "socket.io-client", "dist")

func dev(ctx context.Context, p *process, args []string) error {
	r, err := flags(p, "dev", devUsage, config.Dev(), args)
	if err != nil {
		return err
	}
	read := func() (*config.Loaded, error) {
		c, err := r.Read(p.environ)
		if err == nil && c.ClientBundle == "" && hasScript(installed) != "" {
			c.ClientBundle = installed
		}
		return c, err
	}
	c, err := read()
	if err != nil {
		return err
	}
	var page http.Handler
	if c.Static != "" {
		if page, err = daemon.Files(c); err != nil {
			return err
		}
	} else {
		cfg := chat.PageConfig{Path: c.Path}
		if script := hasScript(c.ClientBundle); script != "" {
			cfg.Client = c.Path + script
		}
		page = chat.Page(cfg)
	}
	s := newServer(p, c)
	s.register = func(srv *node.Server) { chat.Register(srv.Of("/")) }
	s.listening = func(clients, internal net.Addr) { greet(p, clients, internal, c.ClientBundle) }
	return s.run(ctx, read, page)
}

// hasScript is the name of the client's script in a directory, or "".
func hasScript(dir string) string {
	if dir == "" {
		return ""
	}
	for _, name := range []string{"socket.io.min.js", "socket.io.js"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// greet tells a person what to do next.
func greet(p *process, clients, internal net.Addr, bundle string) {
	if bundle == "" {
		bundle = "a public network of caches (npm install socket.io-client to serve it from here)"
	}
	inside := "off"
	if internal != nil {
		inside = "http://" + internal.String() + "/"
	}
	fmt.Fprintf(p.stderr, `
  siod dev

  demo       http://%s/   open it in two windows
  metrics    %s
  client     %s

  WARNING: FOR DEVELOPMENT ONLY. Pages of every origin may connect, and the
  demo lets everybody in. "siod serve" is the server without both.

`, clients, inside, bundle)
}
