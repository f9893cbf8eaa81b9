package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// another returns a value of the option that is valid and not its default.
func another(o *Option, now any) any {
	switch v := now.(type) {
	case bool:
		return !v
	case int:
		return v + 1
	case float64:
		return v + 1
	case Size:
		if o.Max > 0 {
			return v - 1
		}
		return v + 1
	case time.Duration:
		return v + time.Second
	case Secret:
		return Secret("another-secret-of-letters")
	case []string:
		switch {
		case o.Values != nil:
			return []string{o.Values[0]}
		case o.Key == "namespaces":
			return []string{"/another"}
		case o.Key == "trusted_proxies":
			return []string{"10.0.0.0/8", "2001:db8::1"}
		case o.Key == "cors.origins":
			return []string{"https://another.example"}
		case o.Key == "join":
			return []string{"another:7946", "10.0.0.8:7946"}
		}
		return []string{"another"}
	case string:
		for _, s := range o.Values {
			if s != v {
				return s
			}
		}
		switch o.Key {
		case "path":
			return "/another/"
		case "gossip_listen", "route_listen", "nats.listen":
			return "127.0.0.1:0"
		case "nats.url":
			return "nats://another:4222"
		}
		return "another"
	}
	panic(fmt.Sprintf("%T", now))
}

// flatten lists the exported leaves of a struct, by path.
func flatten(v reflect.Value, path string, into map[string]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			into[path] = "nil"
			return
		}
		flatten(v.Elem(), path, into)
	case reflect.Struct:
		if v.Type().PkgPath() == "net/netip" {
			into[path] = fmt.Sprint(v.Interface())
			return
		}
		for i := range v.NumField() {
			flatten(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), into)
		}
	case reflect.Func, reflect.Interface:
		into[path] = fmt.Sprint(v.IsNil())
	default:
		into[path] = fmt.Sprint(v.Interface())
	}
}

func nodeFields(c Config) map[string]string {
	m := map[string]string{}
	flatten(reflect.ValueOf(c.Node()), "", m)
	return m
}

// base is a configuration in which every option can show its effect.
func base() Config {
	c := Default()
	c.Cookie.Name = "sid"
	c.Direct = true
	return c
}

// notOfNode are the options that package node does not know.
var notOfNode = []string{
	"listen", "internal_listen", "internal_token", "namespaces", "static", "client_bundle",
	"read_header_timeout", "idle_timeout", "ready_timeout", "shutdown_delay", "shutdown_timeout", "max_header",
	"log.level", "log.transport", "log.format",
}

// ofPlace are the groups of options that say what the server is a part of.
var ofPlace = []string{"Cluster", "NATS"}

// Every setting of a cluster changes something there.
func TestSettingsReachTheCluster(t *testing.T) {
	t.Parallel()
	c := base()
	before, touched := fmt.Sprintf("%+v", c.Place()), 0
	for _, o := range Options() {
		if !slices.Contains(ofPlace, o.Group) {
			continue
		}
		c := base()
		v := reflect.ValueOf(&c).Elem()
		o.set(v, another(o, o.get(v)))
		if fmt.Sprintf("%+v", c.Place()) == before {
			t.Errorf("%s changes nothing", o.Key)
		}
		touched++
	}
	if touched < 20 {
		t.Errorf("only %d settings were looked at", touched)
	}
}

// notOfOperators are the fields of node.Config that no setting sets, and why.
var notOfOperators = map[string]string{
	"Backplane":                "made by the command",
	"Membership":               "made by the command",
	"Codec":                    "a Go value",
	"Logger":                   "made by the command from log",
	"Transport.Foreign":        "made by the command",
	"Transport.Logger":         "made by the command from log",
	"Transport.Token":          "set by node",
	"Transport.CORS.Func":      "a Go function",
	"Transport.Allow":          "a Go function",
	"Transport.InitialHeaders": "a Go function",
	"Transport.Headers":        "a Go function",
	"Transport.OnRefused":      "a Go function",
}

// Every setting changes something, and whatever a server can be told has a
// setting.
func TestSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	before := nodeFields(base())
	touched := map[string]bool{}
	for _, o := range Options() {
		c := base()
		v := reflect.ValueOf(&c).Elem()
		o.set(v, another(o, o.get(v)))
		after, changed := nodeFields(c), 0
		for path, value := range after {
			if before[path] != value {
				touched[path] = true
				changed++
			}
		}
		for path := range before {
			if _, ok := after[path]; !ok {
				touched[path] = true // a cookie that is gone
				changed++
			}
		}
		if changed == 0 != (slices.Contains(notOfNode, o.Key) || slices.Contains(ofPlace, o.Group)) {
			t.Errorf("%s changes %d fields of node.Config", o.Key, changed)
		}
	}
	for path := range before {
		if _, ok := notOfOperators[path]; ok == touched[path] {
			t.Errorf("node.Config.%s: set by a setting: %v, and on the list of those that are not: %v", path, touched[path], ok)
		}
	}
	for path := range notOfOperators {
		if _, ok := before[path]; !ok {
			t.Errorf("node.Config has no %s", path)
		}
	}
}

// What the fields get is what was said.
func TestNode(t *testing.T) {
	t.Parallel()
	c := base()
	c.MaxPayload = 5_000
	c.PingInterval = 7 * time.Second
	c.EIO3, c.Upgrades, c.Compression.Enabled = false, false, false
	c.Queue.Policy = "drop-oldest"
	c.Cookie.SameSite = "strict"
	c.HandshakeRate, c.HandshakeBurst = 3, 9
	c.TrustedProxies = []string{"10.1.2.3", "fd00::/8"}
	c.EventRate, c.EventBurst = 0, 10
	c.PrincipalCookie = "user"
	n := c.Node()
	got := map[string]any{
		"payload": n.Transport.MaxPayload, "pending": n.Limits.MaxPending, "ping": n.Transport.PingInterval,
		"no eio3": n.Transport.DisableEIO3, "no upgrades": n.Transport.DisableUpgrades, "no compression": n.Transport.Compression.Disabled,
		"policy": string(n.Transport.Queue.Policy), "same site": int(n.Transport.Cookie.SameSite),
		"handshakes": n.Transport.Handshakes.PerSecond, "at once": n.Transport.Handshakes.Burst,
		"proxies": fmt.Sprint(n.Transport.TrustedProxies), "events": n.Transport.Events.PerSecond, "events at once": n.Transport.Events.Burst,
	}
	want := map[string]any{
		"payload": 5_000, "pending": 10_000, "ping": 7 * time.Second,
		"no eio3": true, "no upgrades": true, "no compression": true,
		"policy": "drop-oldest", "same site": 3,
		"handshakes": 3.0, "at once": 9,
		"proxies": "[10.1.2.3/32 fd00::/8]", "events": 0.0, "events at once": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := n.Transport.Validate(); err != nil {
		t.Error(err)
	}
}

// The handshakes of one address are bounded only where addresses are known.
func TestHandshakeRateNeedsAddresses(t *testing.T) {
	t.Parallel()
	c := Default()
	if got := c.Transport().Handshakes.PerSecond; got != 0 {
		t.Errorf("behind an unknown proxy the rate is %v", got)
	}
	c.Direct = true
	if got := c.Transport().Handshakes.PerSecond; got != 20 {
		t.Errorf("with direct the rate is %v", got)
	}
	c.Direct, c.TrustedProxies = false, []string{"10.0.0.0/8"}
	if got := c.Transport().Handshakes.PerSecond; got != 20 {
		t.Errorf("behind a trusted proxy the rate is %v", got)
	}
}
