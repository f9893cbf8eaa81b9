package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// All that is wrong is said at once, each with the field's name and value.
func TestValidate(t *testing.T) {
	t.Parallel()
	bad := node.Config{
		ConnectTimeout: -1, AckTimeout: -time.Second, MaxRoom: 100, MaxRooms: -1, MaxNamespaces: -2, Mailbox: -3,
		MaxDynamic: -6,
		Recovery:   node.Recovery{Window: -1, MaxBytes: -7, ReplayEvents: -8, ReplayBytes: -9, SessionEvents: -10, SessionBytes: -11},
		Transport:  transport.Config{Path: "nowhere"},
	}
	_, err := node.New(bad)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"Backplane is nil", "Membership is nil", "ConnectTimeout -1ns", "AckTimeout -1s", "MaxRoom 100", "MaxRooms -1", "MaxNamespaces -2",
		"Mailbox -3", "MaxDynamic -6", "Recovery.Window -1ns", "Recovery.MaxBytes -7", "Recovery.ReplayEvents -8",
		"Recovery.ReplayBytes -9", "Recovery.SessionEvents -10", "Recovery.SessionBytes -11", `Path "nowhere"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if err.Error() != bad.Validate().Error() {
		t.Error("New and Validate say different things")
	}
}

func TestValidateEdges(t *testing.T) {
	t.Parallel()
	bp := memory.New()
	defer bp.Close(t.Context())
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	must(t, err)
	for _, test := range []struct {
		change func(*node.Config)
		ok     bool
	}{
		{func(*node.Config) {}, true},
		{func(c *node.Config) { c.MaxRoom = 155 }, true},
		{func(c *node.Config) { c.MaxRoom = 154 }, false},
		{func(c *node.Config) { c.MaxRoom = 4096 }, true},
		{func(c *node.Config) { c.MaxRoom = 4097 }, false},
		{func(c *node.Config) { c.Limits = protocol.Limits{MaxNamespace: 229} }, true},
		{func(c *node.Config) { c.Limits = protocol.Limits{MaxNamespace: 230} }, false},
	} {
		cfg := node.Config{Backplane: bp, Membership: self}
		test.change(&cfg)
		if err := cfg.Validate(); (err == nil) != test.ok {
			t.Errorf("MaxRoom %d, MaxNamespace %d: %v", cfg.MaxRoom, cfg.Limits.MaxNamespace, err)
		}
	}
}
