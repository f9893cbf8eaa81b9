package cluster

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/gossip"
)

// A node of another version, or with other limits, is named when it joins, one
// with the same is not.
func TestOtherVersion(t *testing.T) {
	t.Parallel()
	var log testlog.Buffer
	one, err := run(t, Config{
		Secrets: testSecrets, Gossip: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []membership.Member{
		{Name: "same", Meta: map[string]string{metaWire: wireVersion}},
		{Name: "later", Version: "9.0", Meta: map[string]string{metaWire: "9"}},
		{Name: "large", Meta: map[string]string{metaWire: wireVersion, metaLimits: "5000000 100 128 300"}},
		{Name: "odd", Meta: map[string]string{metaWire: wireVersion, metaLimits: "9999999 x"}},
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
	eventually(t, "the one with other limits to be named", func() bool {
		return strings.Contains(log.String(), `name=large limits="5000000 100 128 300" limits_of_this_node="1048576 128 128 256"`)
	})
	eventually(t, "the largest limits to be known", func() bool {
		return one.largest() == backplane.Limits{Payload: 5000000, Namespace: 128, Event: 128, Room: 300, Targets: backplane.DefaultTargets}
	})
	if strings.Contains(log.String(), "name=same release") || strings.Contains(log.String(), "name=same limits") {
		t.Errorf("a node of the same version is named:\n%s", log.String())
	}
}
