package cluster

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/gossip"
)

// A node of another version is named when it joins, one of the same is not.
func TestOtherVersion(t *testing.T) {
	t.Parallel()
	var log lines
	one, err := run(t, Config{
		Secrets: testSecrets, Gossip: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []membership.Member{
		{Name: "same", Meta: map[string]string{metaWire: wireVersion}},
		{Name: "later", Version: "9.0", Meta: map[string]string{metaWire: "9"}},
	} {
		m.ID = membership.NewID()
		m.Token = membership.Token(m.ID)
		g, err := gossip.Start(t.Context(), gossip.Config{Self: m, Cluster: "siod", Secrets: testSecrets, Listen: "127.0.0.1:0", Join: []string{one.gossip.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = g.Leave(ctx)
		})
	}
	eventually(t, "the later one to be named", func() bool {
		return strings.Contains(log.String(), "name=later release=9.0 reads=9 this_node_reads="+wireVersion)
	})
	if got := one.reads(); got != 9 {
		t.Errorf("the latest version that is read is %d", got)
	}
	if strings.Contains(log.String(), "name=same release") {
		t.Errorf("a node of the same version is named:\n%s", log.String())
	}
}
