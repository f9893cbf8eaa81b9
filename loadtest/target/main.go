// Command target is a node with fixed handlers, for test suites and load
// generators outside of this process. It is also an example of a complete
// program on the library.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
}

// run returns the exit code: 0, 1 if it cannot serve, 2 if what it was told is
// wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, environ []string) int {
	err := target(ctx, args, stdout, stderr, environ)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(stderr, "target: %s\n", strings.Join(strings.Fields(err.Error()), " "))
	if _, ok := errors.AsType[*config.Error](err); ok || errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

var errUsage = errors.New("see --help")

func target(ctx context.Context, args []string, stdout, stderr io.Writer, environ []string) error {
	fs := pflag.NewFlagSet("target", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o := addFlags(fs)
	fs.Usage = func() {
		fmt.Fprintf(stdout, "A node with fixed handlers, for test suites and load generators.\n\n"+
			"Usage: target [--app NAME] [FLAG...]\n\n      --app text   %s (default %s)\n%s",
			fs.Lookup("app").Usage, fs.Lookup("app").DefValue, o.reader.Usage(100))
	}
	if err := o.reader.Parse(args); err != nil {
		return err
	}
	app, err := findApp(o.app)
	if err != nil {
		return fmt.Errorf("%w: %w", err, errUsage)
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: %w", fs.Arg(0), errUsage)
	}
	if err := o.load(environ); err != nil {
		return err
	}
	levels := daemon.NewLevels(o.Loaded)
	log := daemon.NewLogger(stderr, o.Loaded, levels)
	if os.Getenv("GCTICK") != "" {
		go returnMemory(ctx)
	}
	return serve(ctx, o, levels, log, app, stdout)
}

// returnMemory collects and gives memory back all the time, so that a
// measurement of an idle server shows what its sessions need and not what
// connecting them left behind.
func returnMemory(ctx context.Context) {
	tick := time.NewTicker(1500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			debug.FreeOSMemory()
		case <-ctx.Done():
			return
		}
	}
}
