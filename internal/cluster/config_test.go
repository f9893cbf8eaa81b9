package cluster

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What does not go together is refused before anything starts.
func TestRefused(t *testing.T) {
	t.Parallel()
	const secret = "a secret of the tests"
	node := Config{Gossip: "127.0.0.1:0", Internal: "127.0.0.1:1", Secrets: []string{secret}}
	for want, change := range map[string]func(*Config){
		"Secrets is empty":        func(c *Config) { c.Secrets = nil },
		"Internal is empty":       func(c *Config) { c.Internal = "" },
		"Gossip: ":                func(c *Config) { c.Gossip = "7946" },
		"Join needs Gossip":       func(c *Config) { c.Gossip, c.Join = "", []string{"a:1"} },
		"NATS.URL needs Gossip":   func(c *Config) { c.Gossip, c.NATS.URL = "", "nats://127.0.0.1:1" },
		"there are no other":      func(c *Config) { c.Gossip, c.Stores = "", 3 },
		"NATS.Listen is of":       func(c *Config) { c.NATS.URL, c.NATS.Listen = "nats://127.0.0.1:1", "127.0.0.1:0" },
		"keeps durable events it": func(c *Config) { c.NATS.URL, c.Store, c.Stores = "nats://127.0.0.1:1", true, 1 },

		// by the parts
		"0, 1 or 3 store nodes": func(c *Config) { c.Stores = 2 },
		"needs TLS":             func(c *Config) { c.Routes = "0.0.0.0:0" },
		"start it, or check":    func(c *Config) { c.NATS.URL = "nats://127.0.0.1:1" },
		"certificate none.pem":  func(c *Config) { c.RouteTLS.Cert, c.RouteTLS.Key = "none.pem", "none.pem" },
		"none.pem: no such":     func(c *Config) { c.RouteTLS.CA = "none.pem" },
	} {
		c := node
		change(&c)
		n, err := Start(t.Context(), c)
		if err == nil {
			_ = n.Stop(t.Context(), nil)
			t.Errorf("%q: it started", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (TLS{CA: name}).load(); err == nil || !strings.Contains(err.Error(), "no certificate in PEM form") {
		t.Errorf("got %v", err)
	}
	if c, err := (TLS{}).load(); c != nil || err != nil {
		t.Errorf("nothing gives %v, %v", c, err)
	}
}

// Others are told the advertised host, else the listener's own, else a private
// address of the machine.
func TestReached(t *testing.T) {
	t.Parallel()
	private, err := privateHost()
	for _, c := range []struct{ advertise, listen, want string }{
		{"", "10.0.0.7:3001", "10.0.0.7:3001"},
		{"", "localhost:3001", "localhost:3001"},
		{"node-7.example", "127.0.0.1:3001", "node-7.example:3001"},
		{"fd00::7", ":3001", "[fd00::7]:3001"},
		{"", ":3001", net.JoinHostPort(private, "3001")},
		{"", "[::]:3001", net.JoinHostPort(private, "3001")},
	} {
		got, gotErr := Config{Advertise: c.advertise}.reached(c.listen)
		if private == "" && c.advertise == "" && strings.HasPrefix(c.want, ":") {
			if gotErr == nil || gotErr.Error() != err.Error() {
				t.Errorf("%s: %v on a machine without a private address", c.listen, gotErr)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s advertised as %q is reached at %s (%v), want %s", c.listen, c.advertise, got, gotErr, c.want)
		}
	}
}
