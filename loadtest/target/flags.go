package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/daemon"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// options are the command line: the settings of siod, and which app to run.
// place is set before the app is made, stats comes from it.
type options struct {
	app    string
	reader *config.Reader
	*config.Loaded

	place *cluster.Node
	stats func() node.Stats
}

// defaults are those of siod where the library's would be used without it:
// no recovery, no rate limits, and no second listener unless it is asked for.
func defaults() config.Config {
	c := config.Default()
	c.InternalListen = ""
	c.Recovery.Enabled = false
	c.EventRate, c.EventBurst, c.HandshakeRate, c.HandshakeBurst = 0, 0, 0, 0
	c.ShutdownTimeout = 3 * time.Second
	c.Log.Level, c.Log.Format = "warn", "text"
	return c
}

func addFlags(fs *pflag.FlagSet) *options {
	o := &options{reader: config.NewReader(fs, defaults())}
	fs.StringVar(&o.app, "app", "bench", "handlers: bench, engine, protocol, echo, interop")
	return o
}

// load reads the settings after the flags were parsed.
func (o *options) load(environ []string) (err error) {
	o.Loaded, err = o.reader.Read(environ)
	return err
}

// The configuration of the layers; an app adds what it needs.

func (o *options) nodeConfig() node.Config           { return o.Node() }
func (o *options) transportConfig() transport.Config { return o.Transport() }

// serves says which server the app made.
func (o *options) serves(srv *node.Server) {
	o.stats = srv.Stats
	if o.Where("namespaces") != "" {
		daemon.Namespaces(srv, o.Namespaces, func(*node.Namespace) {})
	}
}
