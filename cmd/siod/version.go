package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/internal/metrics"
)

// build is what is known of the running program.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "development"
	}
	return b
}

func (b build) labels() metrics.Build {
	return metrics.Build{Version: b.Version, Revision: b.Revision, Go: b.Go}
}

func printVersion(_ context.Context, p *process, args []string) error {
	fs := pflag.NewFlagSet("siod version", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	asJSON := fs.Bool("json", false, "print it as JSON")
	fs.Usage = func() {
		fmt.Fprintf(p.stdout, "Prints the version.\n\nUsage: siod version [--json]\n\n%s", fs.FlagUsages())
	}
	if err := fs.Parse(args); err != nil {
		return usage(err, "siod version --help")
	}
	if fs.NArg() > 0 {
		return &usageError{fmt.Sprintf("unexpected argument %q: see siod version --help", fs.Arg(0))}
	}
	b := thisBuild()
	if *asJSON {
		out, err := json.MarshalIndent(b, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "%s\n", out)
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "siod %s (%s, %s)\n", b.Version, b.Go, b.Platform)
	return err
}

// usage turns an error of pflag into one that says where help is.
func usage(err error, where string) error {
	if err == pflag.ErrHelp {
		return err
	}
	return &usageError{err.Error() + ": see " + where}
}
