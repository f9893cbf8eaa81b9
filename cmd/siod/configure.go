package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/siod-io/siod/internal/config"
)

const configUsage = `Shows what siod serve would run with. Nothing is started.

Usage: siod config print|check|env|doc [FLAG...]

  print   what is in effect and where it comes from, as a file that can be used
  check   say what is wrong with the file, the environment and the flags, all of it
  env     what is in effect, as environment variables
  doc     the documentation of all settings, in Markdown
`

func configure(_ context.Context, p *process, args []string) error {
	actions := []string{"print", "check", "env", "doc"}
	if len(args) == 0 {
		return &usageError{"config needs one of " + strings.Join(actions, ", ") + ": see siod config --help"}
	}
	action := args[0]
	switch action {
	case "doc":
		if len(args) > 1 && args[1] != "--help" {
			return &usageError{fmt.Sprintf("unexpected argument %q: config doc takes none", args[1])}
		}
		_, err := fmt.Fprint(p.stdout, config.Markdown())
		return err
	case "print", "check", "env":
		args = args[1:]
	case "-h", "--help", "help":
		args = []string{"--help"}
	default:
		return &usageError{fmt.Sprintf("unknown command %q%s", "config "+action, or(config.DidYouMean(action, actions), ": siod config --help lists them"))}
	}
	r, err := flags(p, "config "+action, configUsage, config.Default(), args)
	if err != nil {
		return err
	}
	c, err := r.Read(p.environ)
	if action == "check" {
		return check(p, c, err)
	}
	if err != nil {
		return err
	}
	text := c.YAML()
	if action == "env" {
		text = c.Env()
	}
	_, err = fmt.Fprint(p.stdout, text)
	return err
}

// check prints every problem on a line of its own.
func check(p *process, c *config.Loaded, err error) error {
	if err == nil {
		from := "the defaults"
		if c.File != "" {
			from = c.File
		}
		_, err := fmt.Fprintf(p.stdout, "%s: the configuration is good\n", from)
		return err
	}
	ce, ok := errors.AsType[*config.Error](err)
	if !ok {
		return err
	}
	for _, problem := range ce.Problems {
		fmt.Fprintf(p.stdout, "%s\n", problem)
	}
	s := "s"
	if len(ce.Problems) == 1 {
		s = ""
	}
	return &usageError{fmt.Sprintf("the configuration has %d problem%s", len(ce.Problems), s)}
}
