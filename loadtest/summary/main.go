// Command summary turns the lines of siobench and floor, one JSON object each
// on stdin, into medians and ratios: one JSON line on stdout, and a JSON file
// and a Markdown table where asked for.
//
// The k-th line of a server and test belongs to repeat k. A ratio is the median
// of the ratios of the repeats, not the ratio of the medians, so that what
// disturbs both servers of a repeat cancels out.
//
//	summary -ours ours -peer node -markdown table.md <results.jsonl
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	fs := flag.NewFlagSet("summary", flag.ContinueOnError)
	ours := fs.String("ours", "ours", "label of the server that the budgets are about")
	peer := fs.String("peer", "node", "label of the server that it is compared with")
	jsonFile := fs.String("json", "", "file for the summary, indented")
	markdown := fs.String("markdown", "", "file for the table")
	if err := fs.Parse(args); err != nil {
		return err
	}
	s, err := read(in)
	if err != nil {
		return err
	}
	r := s.report(*ours, *peer)
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return err
	}
	if *jsonFile != "" {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(*jsonFile, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if *markdown != "" {
		return os.WriteFile(*markdown, r.markdown(s.facts), 0o644)
	}
	return nil
}
