package config

import (
	"strings"

	"github.com/siod-io/siod/internal/cluster"
)

// Cluster is what makes this server a node among others.
type Cluster struct {
	GossipListen     string   `json:"gossip_listen" empty:"off, this server is on its own" doc:"Address at which nodes tell each other who is there, over UDP and TCP; it makes this server a node of a cluster." reload:"restart"`
	Join             []string `json:"join" empty:"others join this one" doc:"Gossip addresses of other nodes; one that answers is enough. A name may have many addresses and is resolved again at each attempt." reload:"restart"`
	RouteListen      string   `json:"route_listen" empty:"the host of gossip_listen and a free port" doc:"Address at which the NATS servers within other nodes connect." reload:"restart"`
	Advertise        string   `json:"advertise" empty:"those of the listeners, or the first private address of the machine" doc:"Host at which other nodes reach this one, without a port: its gossip, its routes and its internal listener." reload:"restart"`
	ClusterName      string   `json:"cluster_name" doc:"Name of the cluster. Nodes of different names do not talk to each other, not even on one NATS." reload:"restart"`
	ClusterSecret    Secret   `json:"cluster_secret" empty:"only for a server on its own" doc:"Secret of all nodes, at least 16 characters. Several with spaces or on lines, while one replaces another: the first is used, all are accepted." reload:"restart"`
	NodeName         string   `json:"node_name" empty:"none" doc:"Name of this node that stays the same when it is restarted. A node that starts later with the same name replaces this one." reload:"restart"`
	StoreExpect      int      `json:"store_expect" max:"3" zero:"none, and then neither durable events nor recovery in a cluster" doc:"Number of nodes that store events, 1 or 3, the same on every node; with nats.url the number of its servers that do." reload:"restart"`
	Store            bool     `json:"store" doc:"Make this node one of those that store events." reload:"restart"`
	StoreDir         string   `json:"store_dir" empty:"in memory" doc:"Directory of the store." reload:"restart"`
	StoreKey         Secret   `json:"store_key" empty:"it is not encrypted" doc:"Key that encrypts store_dir, at least 16 characters. A second one, behind a space or on a line of its own, is the one that it replaces, on a server on its own." reload:"restart"`
	StoreQueueEvents int      `json:"store_queue_events" doc:"Most durable events of this node that may wait until they are stored; further ones are refused." reload:"restart"`
	StoreQueueBytes  Size     `json:"store_queue_bytes" doc:"Most bytes of these." reload:"restart"`
	StoreHoldEvents  int      `json:"store_hold_events" doc:"Most durable events that this node holds while it fetches one before them that did not come; beyond it those are fetched, too." reload:"restart"`
	StoreHoldBytes   Size     `json:"store_hold_bytes" doc:"Most bytes of these." reload:"restart"`
	RouteTLSCA       string   `json:"route_tls_ca" empty:"none" doc:"PEM file with the authorities that sign the certificates of nodes, for routes." reload:"restart"`
	RouteTLSCert     string   `json:"route_tls_cert" empty:"none" doc:"PEM file with this node's certificate, for both ends of routes." reload:"restart"`
	RouteTLSKey      string   `json:"route_tls_key" empty:"none" doc:"PEM file with its key." reload:"restart"`
	InsecureRoutes   bool     `json:"insecure_routes" doc:"Allow routes without TLS beyond this machine, on a network where nobody else can read or write." reload:"restart"`
}

// NATS is what carries events between nodes, where it is not within them alone.
type NATS struct {
	URL       string `json:"url" empty:"the servers within the nodes" doc:"NATS servers of your own, with commas between them." reload:"restart"`
	User      string `json:"user" empty:"none" doc:"User there." reload:"restart"`
	Password  Secret `json:"password" empty:"none" doc:"Password of that user." reload:"restart"`
	Token     Secret `json:"token" empty:"none" doc:"Token, where there are no users." reload:"restart"`
	Creds     string `json:"creds" empty:"none" doc:"File of credentials, where there are accounts with keys." reload:"restart"`
	TLSCA     string `json:"tls_ca" empty:"those of the system" doc:"PEM file with the authorities of these servers." reload:"restart"`
	TLSCert   string `json:"tls_cert" empty:"none" doc:"PEM file with a certificate: this node's there, or that of nats.listen." reload:"restart"`
	TLSKey    string `json:"tls_key" empty:"none" doc:"PEM file with its key." reload:"restart"`
	Provision bool   `json:"provision" doc:"Make the streams where they are missing. Turn it off where the node's user must not, and make them by what siod nats-config prints." reload:"restart"`
	Listen    string `json:"listen" empty:"nowhere" doc:"Address at which emitters and workers connect to the NATS server within this node." reload:"restart"`
}

// Clustered reports whether there may be other nodes.
func (c *Config) Clustered() bool { return c.GossipListen != "" }

// onNATS reports whether events travel over NATS, this node's own included.
func (c *Config) onNATS() bool {
	return c.Clustered() || c.NATS.URL != "" || c.NATS.Listen != "" || c.StoreExpect > 0
}

// Secrets are those of the cluster, the one to use first.
func (c *Config) Secrets() []string { return strings.Fields(c.ClusterSecret.Reveal()) }

// Place is the node among others, without its version, the address of its internal
// listener and its logger.
func (c *Config) Place() cluster.Config {
	return cluster.Config{
		Name: c.NodeName, Cluster: c.ClusterName, Secrets: c.Secrets(),
		Gossip: c.GossipListen, Join: c.Join, Advertise: c.Advertise,
		Routes: c.RouteListen, RouteTLS: cluster.TLS{CA: c.RouteTLSCA, Cert: c.RouteTLSCert, Key: c.RouteTLSKey}, InsecureRoutes: c.InsecureRoutes,
		Stores: c.StoreExpect, Store: c.Store, StoreDir: c.StoreDir, StoreKeys: strings.Fields(c.StoreKey.Reveal()), Recovery: c.Recovery.Enabled, Window: c.Recovery.Window,
		Queue: cluster.Bounds{Events: c.StoreQueueEvents, Bytes: int(c.StoreQueueBytes)}, Hold: cluster.Bounds{Events: c.StoreHoldEvents, Bytes: int(c.StoreHoldBytes)},
		NATS: cluster.NATS{
			URL: c.NATS.URL, User: c.NATS.User, Password: c.NATS.Password.Reveal(), Token: c.NATS.Token.Reveal(), Creds: c.NATS.Creds,
			TLS:      cluster.TLS{CA: c.NATS.TLSCA, Cert: c.NATS.TLSCert, Key: c.NATS.TLSKey},
			Existing: !c.NATS.Provision, Listen: c.NATS.Listen,
		},
		// A packet and its attachments may be twice as long as one message.
		MaxPayload: 2 * int(c.MaxPayload), MaxNamespace: int(c.MaxNamespace), MaxEvent: int(c.MaxEvent), MaxRoom: int(c.MaxRoom),
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, DrainTime: c.ShutdownTimeout / 2,
	}
}
