package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/internal/config"
)

const natsConfigUsage = `Prints what a NATS of your own needs: the streams, and what each role of user may
do. Nothing is connected to.

Usage: siod nats-config [--json] [FLAG...]

      --json             print it as JSON
      --namespace NAME   what emitters and workers are for, several times or with
                         commas between them; all without it

--cluster-name, --store-expect, --recovery and --recovery-window decide what it is. With
--nats-provision=false, nodes may use the streams and not make them. Users and
permissions are written as nats-server reads them; replace the passwords. Streams
are written as "nats stream add NAME --config FILE" reads them.
`

// natsSetup is what siod needs of a NATS.
type natsSetup struct {
	Cluster string                                    `json:"cluster"`
	Streams []jetstream.StreamConfig                  `json:"streams"`
	Roles   map[embedded.Role]embedded.Permissions    `json:"-"`
	Users   map[embedded.Role]map[string]permissionOf `json:"roles"`
}

type permissionOf struct {
	Allow     []string `json:"allow,omitempty"`
	Responses bool     `json:"responses,omitempty"`
}

var natsRoles = []embedded.Role{embedded.Node, embedded.Emitter, embedded.Worker}

func natsConfig(_ context.Context, p *process, args []string) error {
	fs := pflag.NewFlagSet("siod nats-config", pflag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print it as JSON")
	namespaces := fs.StringSlice("namespace", nil, "what emitters and workers are for; all without it")
	r, err := flagsWith(fs, p, "nats-config", natsConfigUsage, natsDefaults(), args)
	if err != nil {
		return err
	}
	c, err := r.Read(p.environ)
	if err != nil {
		return err
	}
	for _, ns := range *namespaces {
		if !strings.HasPrefix(ns, "/") {
			return &usageError{fmt.Sprintf("--namespace %q: names of namespaces begin with /", ns)}
		}
	}
	s, err := natsSetupOf(c, *namespaces)
	if err != nil {
		return err
	}
	if *asJSON {
		return writeJSON(p.stdout, s)
	}
	return s.write(p.stdout)
}

// natsDefaults has what siod serve begins with, as a node of some cluster: where
// its listeners are does not matter here.
func natsDefaults() config.Config {
	c := config.Default()
	c.StoreExpect, c.GossipListen, c.ClusterSecret = 1, "127.0.0.1:0", "not-used-by-this-command"
	c.NATS.URL = "nats://127.0.0.1:4222"
	return c
}

func natsSetupOf(c *config.Loaded, namespaces []string) (*natsSetup, error) {
	space, err := subject.New(c.ClusterName)
	if err != nil {
		return nil, err
	}
	s := &natsSetup{
		Cluster: c.ClusterName, Streams: []jetstream.StreamConfig{},
		Roles: make(map[embedded.Role]embedded.Permissions), Users: make(map[embedded.Role]map[string]permissionOf),
	}
	if c.StoreExpect > 0 {
		s.Streams = append(s.Streams, natsio.LogStream(space, 0, natsio.LogConfig{Replicas: c.StoreExpect, Window: c.Recovery.Window}))
		if c.Recovery.Enabled {
			s.Streams = append(s.Streams, natsio.SessionStream(space, natsio.SessionConfig{Replicas: c.StoreExpect, Window: c.Recovery.Window}))
		}
	}
	for _, role := range natsRoles {
		perm, err := s.permissions(c, role, namespaces)
		if err != nil {
			return nil, err
		}
		s.Roles[role] = perm
		s.Users[role] = map[string]permissionOf{
			"publish":   {Allow: perm.Publish, Responses: perm.Responses},
			"subscribe": {Allow: perm.Subscribe},
		}
	}
	return s, nil
}

func (s *natsSetup) permissions(c *config.Loaded, role embedded.Role, namespaces []string) (embedded.Permissions, error) {
	switch {
	case role != embedded.Node:
		return embedded.PermissionsOf(c.ClusterName, role, namespaces...)
	case c.NATS.Provision:
		return embedded.PermissionsOf(c.ClusterName, role)
	}
	var streams []string
	for _, sc := range s.Streams {
		streams = append(streams, sc.Name)
	}
	return embedded.NodePermissions(c.ClusterName, streams...)
}

// writeJSON writes what people read as well: without escapes for HTML.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// write prints a configuration of nats-server, with the streams as comments.
func (s *natsSetup) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# What siod needs of NATS, for the cluster %q. Needs nats-server 2.11 or later.\n\n", s.Cluster)
	b.WriteString("# A power failure of all servers takes at most the last sync_interval.\njetstream {\n  sync_interval: \"1s\"\n}\n")
	b.WriteString("accounts {\n  SIO {\n    jetstream: enabled\n    users: [\n")
	for _, role := range natsRoles {
		perm := s.Roles[role]
		fmt.Fprintf(&b, "      {\n        user: %s, password: \"replace me\"\n        permissions {\n", role)
		fmt.Fprintf(&b, "          publish { allow: [%s] }\n", quoted(perm.Publish))
		fmt.Fprintf(&b, "          subscribe { allow: [%s] }\n", quoted(perm.Subscribe))
		if perm.Responses {
			b.WriteString("          allow_responses: true\n")
		}
		b.WriteString("        }\n      }\n")
	}
	b.WriteString("    ]\n  }\n}\n")
	for _, sc := range s.Streams {
		fmt.Fprintf(&b, "\n# The stream %s, for: nats stream add %s --config FILE\n", sc.Name, sc.Name)
		text, err := json.MarshalIndent(sc, "", "  ")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			b.WriteString("#   " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return strings.Join(q, ", ")
}
