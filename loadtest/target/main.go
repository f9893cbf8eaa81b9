// Command target is a node with fixed handlers, for test suites and load
// generators outside of this process. It is also an example of a complete
// program on the library.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "target:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	fs := pflag.NewFlagSet("target", pflag.ContinueOnError)
	opts := addFlags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	app, err := findApp(opts.app)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler, shutdown, err := app(opts, log)
	if err != nil {
		return err
	}
	if os.Getenv("GCTICK") != "" {
		go returnMemory(ctx)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.listen)
	if err != nil {
		return err
	}
	fmt.Println("listening", ln.Addr())
	return serve(ctx, ln, handler, shutdown)
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
