package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/internal/config"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked for could not be done
	exitUsage  = 2 // the command line or the configuration is wrong
)

// process is what a command may touch of the world.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // as of os.Environ
}

// command is one word behind siod.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, p *process, args []string) error
}

// commands are in the order of the help text.
func commands() []command {
	return []command{
		{"serve", "run the server (the default)", serve},
		{"dev", "run a server for development, with a demo page", dev},
		{"nodes", "list the nodes of a cluster", nodes},
		{"nats-config", "print what a NATS of your own needs", natsConfig},
		{"config", "print, check or document the configuration", configure},
		{"version", "print the version", printVersion},
		{"help", "print this text", help},
	}
}

// run runs one command and returns the exit code. It ends early when ctx does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	p := &process{stdin, stdout, stderr, environ}
	err := dispatch(ctx, p, args)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return exitOK
	}
	fmt.Fprintf(stderr, "siod: %s\n", oneLine(err))
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitUsage
	}
	return exitFailed
}

func dispatch(ctx context.Context, p *process, args []string) error {
	if len(args) == 0 {
		return serve(ctx, p, nil)
	}
	switch first := args[0]; {
	case first == "-h" || first == "--help":
		return help(ctx, p, nil)
	case first == "--version":
		return printVersion(ctx, p, args[1:])
	case strings.HasPrefix(first, "-"):
		return serve(ctx, p, args)
	}
	var names []string
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, p, args[1:])
		}
		names = append(names, c.name)
	}
	return &usageError{fmt.Sprintf("unknown command %q%s", args[0], or(config.DidYouMean(args[0], names), ": siod help lists them"))}
}

func help(_ context.Context, p *process, args []string) error {
	if len(args) > 1 {
		return &usageError{fmt.Sprintf("unexpected argument %q: help takes one command", args[1])}
	}
	var names []string
	for _, c := range commands() {
		if len(args) == 1 && args[0] == c.name && c.name != "help" {
			return c.run(context.Background(), p, []string{"--help"})
		}
		names = append(names, c.name)
	}
	if len(args) == 1 && args[0] != "help" {
		return &usageError{fmt.Sprintf("unknown command %q%s", args[0], or(config.DidYouMean(args[0], names), ": siod help lists them"))}
	}
	fmt.Fprint(p.stdout, "siod is a Socket.IO server.\n\nUsage: siod COMMAND [FLAG...]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(p.stdout, "  %-12s %s\n", c.name, c.summary)
	}
	fmt.Fprint(p.stdout, `
To see it work, run "siod dev" and open http://127.0.0.1:3000/ in two windows.

"siod COMMAND --help" lists the flags of a command. Every flag can also be set
by an environment variable and in a file: see "siod config --help".
`)
	return nil
}

// usageError is a command line that cannot be understood.
type usageError struct{ text string }

// Error implements error.
func (e *usageError) Error() string { return e.text }

// oneLine keeps an error from spreading over several lines.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// flags parses the command line of a command with the server's settings.
// usage is what --help prints before the settings.
func flags(p *process, name, usage string, defaults config.Config, args []string) (*config.Reader, error) {
	return flagsWith(pflag.NewFlagSet("siod "+name, pflag.ContinueOnError), p, name, usage, defaults, args)
}

// flagsWith is flags for a command that has some of its own in fs, which usage
// describes.
func flagsWith(fs *pflag.FlagSet, p *process, name, usage string, defaults config.Config, args []string) (*config.Reader, error) {
	fs.SetOutput(io.Discard)
	r := config.NewReader(fs, defaults)
	fs.Usage = func() {
		const width = 100
		fmt.Fprintf(p.stdout, "%s\nSettings, each with the key, variable and flag that docs/configuration.md lists:\n", usage)
		fmt.Fprintf(p.stdout, "      --config file   YAML file with any of these settings; %s names it as well.\n", config.FileEnv)
		fmt.Fprint(p.stdout, r.Usage(width))
	}
	if err := r.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, &usageError{fmt.Sprintf("unexpected argument %q: settings are flags, siod %s --help lists them", fs.Arg(0), name)}
	}
	return r, nil
}
