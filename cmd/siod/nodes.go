package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/internal/config"
)

const nodesUsage = `Lists the nodes of a cluster, as one of them sees it.

Usage: siod nodes [--json] [FLAG...]

      --json   print it as JSON

It asks the node at --internal-listen, with the token of --internal-token-file
if it has one.
`

// askTime bounds the question and its answer.
const askTime = 5 * time.Second

func nodes(ctx context.Context, p *process, args []string) error {
	fs := pflag.NewFlagSet("siod nodes", pflag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print it as JSON")
	r, err := flagsWith(fs, p, "nodes", nodesUsage, config.Default(), args)
	if err != nil {
		return err
	}
	c, err := r.Read(p.environ)
	if err != nil {
		return err
	}
	text, err := askNodes(ctx, c)
	if err != nil {
		return err
	}
	if *asJSON {
		_, err := p.stdout.Write(text)
		return err
	}
	var all cluster.Members
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s is no siod: it answered with something else: see --internal-listen", internalAddr(c))
	}
	return printNodes(p.stdout, &all, time.Now())
}

// internalAddr is where the internal listener is reached from this machine.
func internalAddr(c *config.Loaded) string {
	host, port, err := net.SplitHostPort(c.InternalListen)
	if err != nil {
		return c.InternalListen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func askNodes(ctx context.Context, c *config.Loaded) ([]byte, error) {
	if c.InternalListen == "" {
		return nil, &usageError{"siod nodes asks an internal listener: name one by --internal-listen"}
	}
	addr := internalAddr(c)
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/nodes", nil)
	if err != nil {
		return nil, err
	}
	if c.InternalToken != "" {
		req.Header.Set("Authorization", "Bearer "+c.InternalToken.Reveal())
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("cannot reach a node at %s: %w: start it, or name another by --internal-listen", addr, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the node at %s did not finish its answer: %w", addr, err)
	case res.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("the node at %s asks for a token: name its file by --internal-token-file", addr)
	case res.StatusCode == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("the node at %s is starting: it may wait for other store nodes", addr)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s is no internal listener of siod: it answered %d: see --internal-listen", addr, res.StatusCode)
	}
	return text, nil
}

func printNodes(out io.Writer, all *cluster.Members, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTOKEN\tSTATE\tHEARD\tSTORE\tUP\tADDRESS\tVERSION\tID")
	for _, n := range all.Nodes {
		name := n.Name
		if n.ID == all.Self {
			name = strings.TrimSpace(name + " *")
		}
		up := "-"
		if !n.Started.IsZero() {
			up = now.Sub(n.Started).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", or(name, "-"), n.Token, n.State, yesNo(n.Heard), yesNo(n.Store), up, or(n.Addr, "-"), or(n.Version, "-"), n.ID)
	}
	return w.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
