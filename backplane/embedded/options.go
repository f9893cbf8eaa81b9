package embedded

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	natsd "github.com/nats-io/nats-server/v2/server"
)

// The accounts.
const (
	account       = "SIO"
	systemAccount = "SYS"
	systemUser    = "sys"
)

// Timing of routes. A peer that vanished without a word is noticed after 4 to
// 6 s; with nats-server's own values replicas were behind for most of a minute
// after a cut of their routes had healed.
const (
	routePing    = "2s"
	routePings   = 2
	routeTLSWait = 5 // seconds
)

// syncInterval is how often what is stored is forced to disk: what a power
// failure of all servers that keep it may take (reliability class D2). A process
// that is killed loses nothing.
const syncInterval = "1s"

// options builds the options of nats-server, anew for each start and reload:
// the server keeps those it gets and changes them. They are built from the text
// of a configuration, since accounts that are made by calls lose JetStream at
// the first reload.
func (s *Server) options(routes []string) (*natsd.Options, error) {
	o := &natsd.Options{
		NoSigs:                 true, // signals are the process's
		DisableJetStreamBanner: true,
	}
	if err := o.ProcessConfigString(s.configText(routes)); err != nil {
		return nil, fmt.Errorf("configuration of nats-server: %w", err)
	}
	if s.cfg.ListenTLS != nil {
		o.TLSConfig = s.cfg.ListenTLS
	}
	if !s.cfg.mesh() {
		o.DontListen = s.cfg.Listen == ""
		return o, nil
	}
	if s.routeTLS != nil {
		// The same pointer at each reload, so that it compares as unchanged.
		o.Cluster.TLSConfig = s.routeTLS
		o.Cluster.TLSTimeout = routeTLSWait
	}
	o.CustomRouterAuthentication = s.gate
	return o, nil
}

// configText writes the configuration of nats-server.
func (s *Server) configText(routes []string) string {
	var b conf
	b.set("server_name", s.cfg.Name)
	b.num("max_payload", s.cfg.MaxPayload)
	b.num("max_pending", max(64<<20, 8*s.cfg.MaxPayload))
	b.listen(s.clientListen())
	b.set("system_account", systemAccount)
	b.open("accounts")
	s.accounts(&b)
	b.close()
	if s.keepsStore() {
		b.open("jetstream")
		b.set("store_dir", s.dir)
		b.set("sync_interval", syncInterval)
		if s.cfg.Dir == "" {
			b.num("max_file_store", 0)
		}
		for i, key := range s.cfg.Keys {
			b.set([]string{"key", "prev_key"}[i], key)
		}
		if len(s.cfg.Keys) > 0 {
			b.set("cipher", "aes")
		}
		b.close()
	}
	if s.cfg.mesh() {
		b.open("cluster")
		s.cluster(&b, routes)
		b.close()
	}
	return b.String()
}

// clientListen returns where clients connect. A server of a mesh opens its
// routes only after a client listener, so one that needs none gets a port of
// loopback, where nobody can log in: all users are limited to connections within
// the process then.
func (s *Server) clientListen() string {
	if s.cfg.Listen == "" {
		return "127.0.0.1:0"
	}
	return s.cfg.Listen
}

func (s *Server) accounts(b *conf) {
	b.open(systemAccount)
	b.open("users: [")
	b.user(systemUser, s.systemPassword, Permissions{}, true)
	b.closeList()
	remote := s.cfg.Store > 0 && !s.keepsStore()
	if remote {
		// A server without JetStream passes requests on to those that have it. It
		// would set that up by itself, but forget it at the first reload.
		b.raw(`exports: [{service: "$JS.API.>"}]`)
	}
	b.close()
	b.open(account)
	if s.cfg.Store > 0 {
		b.set("jetstream", "enabled")
	}
	if remote {
		b.raw(`imports: [{service: {account: "` + systemAccount + `", subject: "$JS.API.>"}, share: true}]`)
	}
	b.open("users: [")
	inProcess := s.cfg.Listen == ""
	for _, role := range s.roles() {
		b.user(string(role), s.password(role), s.permissions[role], inProcess)
	}
	b.closeList()
	b.close()
}

func (s *Server) cluster(b *conf, routes []string) {
	b.set("name", s.cfg.Cluster)
	b.listen(s.routeListen)
	b.set("advertise", bracketed(s.advertise))
	b.raw("no_advertise: true") // of client listeners
	b.open("authorization")
	b.set("user", routeUser)
	b.set("password", s.routePasswords[0])
	b.close()
	// One connection for raft, in the system account, and one for everything of
	// ours: what a server sends to another stays in order.
	b.num("pool_size", 1)
	b.raw("compression: off")
	b.set("ping_interval", routePing)
	b.num("ping_max", routePings)
	if len(routes) > 0 {
		b.open("routes: [")
		for _, addr := range routes {
			b.raw(quote(routeURL(addr, s.routePasswords[0])))
		}
		b.closeList()
	}
}

// bracketed puts an IPv6 address without a port into brackets.
func bracketed(host string) string {
	if ip := net.ParseIP(host); ip != nil && strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func routeURL(addr, password string) string {
	u := url.URL{Scheme: "nats-route", User: url.UserPassword(routeUser, password), Host: addr}
	return u.String()
}
