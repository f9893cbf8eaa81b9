package config

import (
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/siod-io/siod/backplane/subject"
)

// minSecret is what gossip asks of a secret, in bytes.
const minSecret = 16

// complain adds what is wrong with the value of a key.
type complain func(key, format string, args ...any)

// checkCluster reports what is wrong with the settings of a node among others.
func (l *Loaded) checkCluster(bad complain) {
	for _, at := range [][2]string{{"gossip_listen", l.GossipListen}, {"route_listen", l.RouteListen}, {"nats.listen", l.NATS.Listen}} {
		if key, addr := at[0], at[1]; addr != "" && !isAddress(addr) {
			bad(key, "%q is not an address: write host:port, such as 10.0.0.7:7946 or :7946", addr)
		}
	}
	for _, addr := range l.Join {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "0" || !isAddress(addr) {
			bad("join", "%q is not the address of a node: write host:port as in its gossip_listen, such as 10.0.0.7:7946", addr)
		}
	}
	if strings.ContainsAny(l.Advertise, " /[]") || strings.Contains(l.Advertise, ":") && net.ParseIP(l.Advertise) == nil {
		bad("advertise", "%q is not a host: write a name or an address without a port, such as 10.0.0.7", l.Advertise)
	}
	if _, err := subject.New(l.ClusterName); err != nil {
		bad("cluster_name", "%q is not a name of a cluster: write 1 to 32 letters, digits, - or _", l.ClusterName)
	}
	if n := l.NodeName; len(n) > 64 || strings.ContainsFunc(n, func(r rune) bool { return r <= ' ' || r > '~' }) {
		bad("node_name", "%q is not a name of a node: write at most 64 characters of ASCII without spaces", n)
	}
	for _, s := range l.Secrets() {
		if len(s) < minSecret {
			bad("cluster_secret", "the secret has a word of %d characters, at least %d are needed: openssl rand -hex 32 makes a good one", len(s), minSecret)
		}
	}
	l.checkNode(bad)
	l.checkStore(bad)
	l.checkNATS(bad)
	for _, f := range [][2]string{
		{"route_tls_ca", l.RouteTLSCA}, {"route_tls_cert", l.RouteTLSCert}, {"route_tls_key", l.RouteTLSKey},
		{"nats.creds", l.NATS.Creds}, {"nats.tls_ca", l.NATS.TLSCA}, {"nats.tls_cert", l.NATS.TLSCert}, {"nats.tls_key", l.NATS.TLSKey},
	} {
		if f[1] == "" {
			continue
		}
		if info, err := os.Stat(f[1]); err != nil {
			bad(f[0], "cannot read %s: %v", f[1], reason(err))
		} else if info.IsDir() {
			bad(f[0], "%s is a directory: name a file", f[1])
		}
	}
	for _, pair := range [][4]string{
		{"route_tls_cert", l.RouteTLSCert, "route_tls_key", l.RouteTLSKey}, {"nats.tls_cert", l.NATS.TLSCert, "nats.tls_key", l.NATS.TLSKey},
	} {
		if (pair[1] == "") != (pair[3] == "") {
			bad(pair[0], "a certificate goes with its key: set both %s and %s", pair[0], pair[2])
		}
	}
}

// checkNode looks at what a node of a cluster needs.
func (l *Loaded) checkNode(bad complain) {
	if !l.Clustered() {
		if len(l.Join) > 0 {
			bad("join", "needs --gossip-listen, the address at which other nodes reach this one, such as --gossip-listen=:7946")
		}
		if l.RouteListen != "" {
			bad("route_listen", "needs --gossip-listen: routes lead to nodes that gossip finds")
		}
		return
	}
	if l.ClusterSecret == "" {
		bad("gossip_listen", "needs a secret that all nodes share: name its file by --cluster-secret-file, or set SIOD_CLUSTER_SECRET; openssl rand -hex 32 makes one")
	}
	if l.InternalListen == "" {
		bad("gossip_listen", "needs --internal-listen, by which other nodes pass requests on to this one, such as --internal-listen=127.0.0.1:3001")
	}
	listens := []string{l.Listen, l.InternalListen}
	if slices.Contains(listens, l.GossipListen) && !strings.HasSuffix(l.GossipListen, ":0") {
		bad("gossip_listen", "%s is the address of another listener: choose another one", l.GossipListen)
	}
	routes := l.RouteListen
	if routes == "" {
		routes = l.GossipListen
	}
	host, _, _ := net.SplitHostPort(routes)
	if l.NATS.URL == "" && !loopback(host) && l.RouteTLSCert == "" && !l.InsecureRoutes {
		bad("gossip_listen", "nodes beyond this machine need TLS between their NATS servers: set --route-tls-ca, --route-tls-cert and --route-tls-key, or --insecure-routes on a network of their own")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkStore looks at where durable events go.
func (l *Loaded) checkStore(bad complain) {
	switch {
	case l.StoreExpect == 2:
		bad("store_expect", "two nodes stop storing when either of them does: use 1 or 3")
	case l.StoreExpect == 3 && !l.Clustered():
		bad("store_expect", "this server is on its own: use 1, or make it a node of a cluster by --gossip-listen")
	case l.NATS.URL != "" && (l.Store || l.StoreDir != ""):
		key := "store"
		if !l.Store {
			key = "store_dir"
		}
		bad(key, "nats.url names servers that store events themselves: leave it out")
	case l.Store && l.StoreExpect == 0:
		bad("store", "needs --store-expect, the number of nodes that store events, 1 or 3, the same on every node")
	case l.StoreDir != "" && !l.Store && (l.Clustered() || l.StoreExpect == 0):
		bad("store_dir", "needs --store, which makes this node one that stores events")
	case l.Store && l.Clustered() && l.NodeName == "":
		bad("store", "needs --node-name, by which the other nodes know this one after a restart")
	}
	keys := strings.Fields(l.StoreKey.Reveal())
	switch {
	case len(keys) > 0 && l.StoreDir == "":
		bad("store_key", "needs --store-dir: what is in memory is not encrypted")
	case len(keys) > 1 && l.Clustered():
		bad("store_key", "it has two keys: the store of a cluster opens with one; see docs/cluster.md for how to change it")
	case len(keys) > 2:
		bad("store_key", "it has %d keys: there may be two, the one to use and the one before", len(keys))
	case slices.ContainsFunc(keys, func(k string) bool { return len(k) < 16 }):
		bad("store_key", "it has a key of less than 16 characters; openssl rand -hex 32 makes one")
	}
	if l.Recovery.Enabled && l.onNATS() && l.StoreExpect == 0 {
		bad("recovery.enabled", "needs a store: set --store-expect to 1 or 3 on every node and --store on as many, or turn recovery off by --recovery=false")
	}
}

// checkNATS looks at the way to servers outside, and to the one inside.
func (l *Loaded) checkNATS(bad complain) {
	n := &l.NATS
	if n.URL == "" {
		for _, f := range [][2]string{{"nats.user", n.User}, {"nats.password", string(n.Password)}, {"nats.token", string(n.Token)}, {"nats.creds", n.Creds}} {
			if f[1] != "" {
				bad(f[0], "needs --nats-url, the servers that it is for")
			}
		}
		if !n.Provision {
			bad("nats.provision", "needs --nats-url: a store within the nodes makes its streams itself")
		}
		return
	}
	for part := range strings.SplitSeq(n.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		switch {
		case err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			bad("nats.url", "it has a part that is no address of NATS: write nats://host:4222 or tls://host:4222")
		case u.User != nil:
			bad("nats.url", "an address is shown in logs: leave user and password out of it, and set nats.user and nats.password")
		}
	}
	if !l.Clustered() {
		bad("nats.url", "needs --gossip-listen: nodes find each other by gossip, whatever carries their events")
	}
	if n.Listen != "" {
		bad("nats.listen", "nats.url names servers outside of this node, where emitters connect as well: leave one of them out")
	}
	ways := 0
	for _, set := range []bool{n.User != "", n.Token != "", n.Creds != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		bad("nats.url", "there are several ways to log in: leave one of nats.user, nats.token and nats.creds")
	}
	if (n.User == "") != (n.Password == "") {
		bad("nats.user", "a user goes with its password: set both nats.user and nats.password")
	}
}
