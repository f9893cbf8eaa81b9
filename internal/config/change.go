package config

import (
	"reflect"
	"strings"
)

// Changes lists the keys whose values differ: those that a running server can
// take over, and those that need a restart.
func Changes(before, after *Loaded) (live, restart []string) {
	live, restart = []string{}, []string{}
	a, b := reflect.ValueOf(before.Config), reflect.ValueOf(after.Config)
	for _, o := range Options() {
		if reflect.DeepEqual(o.get(a), o.get(b)) {
			continue
		}
		if o.Reload == "live" {
			live = append(live, o.Key)
		} else {
			restart = append(restart, o.Key)
		}
	}
	return live, restart
}

// StaticNamespaces are the configured namespaces without patterns.
func (c *Config) StaticNamespaces() []string {
	var names []string
	for _, n := range c.Namespaces {
		if !strings.HasSuffix(n, "*") {
			names = append(names, n)
		}
	}
	return names
}
