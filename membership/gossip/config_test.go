package gossip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/membership"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	good := Config{Self: member("a"), Secrets: []string{secret}, Join: []string{"other:7946", "[::1]:1"}}
	if err := good.Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Self.ID = "" }, "Self.ID"},
		{func(c *Config) { c.Self.ID = "a b" }, "Self.ID"},
		{func(c *Config) { c.Self.Token = "other1" }, "Self.Token"},
		{func(c *Config) { c.Self.Name = strings.Repeat("n", maxNames) }, "Self.Name, Addr and Version"},
		{func(c *Config) { c.Self.Meta = map[string]string{"k": strings.Repeat("v", 300)} }, "Self.Meta"},
		{func(c *Config) { c.Cluster = strings.Repeat("c", maxCluster+1) }, "Cluster"},
		{func(c *Config) { c.Secrets = append(c.Secrets, "short") }, "Secrets[1]"},
		{func(c *Config) { c.Listen = "7946" }, "Listen"},
		{func(c *Config) { c.Listen = "127.0.0.1:x" }, "Listen"},
		{func(c *Config) { c.Listen = "127.0.0.1:65536" }, "Listen"},
		{func(c *Config) { c.Advertise = ":7946" }, "Advertise"},
		{func(c *Config) { c.Advertise = "x" }, "Advertise"},
		{func(c *Config) { c.Join = append(c.Join, "other") }, "Join[2]"},
		{func(c *Config) { c.Join = append(c.Join, "other:0") }, "Join[2]"},
		{func(c *Config) { c.Rejoin = -1 }, "Rejoin"},
		{func(c *Config) { c.Probe = time.Millisecond }, "Probe"},
	} {
		c := good
		tt.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.want, err)
		}
	}
	err := Config{Probe: -1, Rejoin: -1}.Validate()
	for _, want := range []string{"Self.ID", "Probe", "Rejoin"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not all is told: %v", err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	taken := start(t, config(t, member("a")))
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   error  // nil: any
		text   string // of the error
	}{
		{"meta too large", func(c *Config) { c.Self.Meta = map[string]string{"k": strings.Repeat("v", 255)} }, membership.ErrMetaTooLarge, ""},
		{"no secret on all addresses", func(c *Config) { c.Secrets, c.Listen, c.Advertise = nil, ":0", "127.0.0.1:0" }, ErrSecrets, ""},
		{"no secret beyond loopback", func(c *Config) { c.Secrets, c.Advertise = nil, "192.0.2.1:0" }, ErrSecrets, ""},
		{"short secret", func(c *Config) { c.Secrets = []string{"123456789012345"} }, ErrSecrets, ""},
		{"port in use", func(c *Config) { c.Listen = taken.Addr() }, nil, "in use"},
		{"not an address of this machine", func(c *Config) { c.Listen = "192.0.2.1:0" }, nil, "listen"},
		{"all addresses advertised", func(c *Config) { c.Advertise = "0.0.0.0:0" }, nil, "no address of one machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := config(t, member("b"))
			tt.change(&c)
			g, err := Start(t.Context(), c)
			if err == nil {
				g.Close()
				t.Fatal("it started")
			}
			if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestFirstPrivate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ all, want string }{
		{"", ""},
		{"127.0.0.1 ::1 203.0.113.1 fe80::1", ""},
		{"127.0.0.1 203.0.113.1 10.1.2.3 192.168.0.1", "10.1.2.3"},
		{"fd00::1 172.16.0.9", "172.16.0.9"},
		{"fd00::1 fd00::2 2001:db8::1", "fd00::1"},
	} {
		var all []netip.Addr
		for _, s := range strings.Fields(tt.all) {
			all = append(all, netip.MustParseAddr(s))
		}
		a, ok := firstPrivate(all)
		if ok != (tt.want != "") || ok && a.String() != tt.want {
			t.Errorf("of %s: %v, want %s", tt.all, a, tt.want)
		}
	}
}

func TestAdvertised(t *testing.T) {
	t.Parallel()
	lookup := func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "node" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("::ffff:10.9.8.7")}, nil
	}
	for _, tt := range []struct{ advertise, bound, want string }{
		{"", "10.0.0.1:7946", "10.0.0.1:7946"},
		{"10.0.0.9:1234", "0.0.0.0:7946", "10.0.0.9:1234"},
		{"10.0.0.9:0", "0.0.0.0:7946", "10.0.0.9:7946"},
		{"node:0", "0.0.0.0:7946", "10.9.8.7:7946"},
		{"[fd00::1]:0", "[::]:7946", "[fd00::1]:7946"},
		{"other:0", "0.0.0.0:7946", ""},
		{"[::]:0", "0.0.0.0:7946", ""},
	} {
		c := Config{Advertise: tt.advertise, lookup: lookup}
		a, err := c.advertised(t.Context(), netip.MustParseAddrPort(tt.bound))
		if (err == nil) != (tt.want != "") || err == nil && a.String() != tt.want {
			t.Errorf("%q of %s: %v, %v, want %s", tt.advertise, tt.bound, a, err, tt.want)
		}
	}
}

// The addresses of the machine are read without an error, loopback among them.
func TestMachineAddrs(t *testing.T) {
	t.Parallel()
	all, err := machineAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.IsLoopback() {
			return
		}
	}
	t.Errorf("no loopback address in %v", all)
}
