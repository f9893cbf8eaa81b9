package embedded

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// Role is what a connection of the account SIO may do. It is the name of its
// user, too.
type Role string

// The roles.
const (
	// Node is a siod node: everything within its cluster.
	Node Role = "node"

	// Emitter may emit, fast and durable, and ask a node to act for it. It
	// cannot publish where sequenced deliveries come from, so it cannot forge
	// one.
	Emitter Role = "emitter"

	// Worker answers events in the queue group of workers, and may emit.
	Worker Role = "worker"
)

// Prefixes of inboxes, one for each role, so that no role can read the replies
// to another.
const (
	InboxEmitter = "_INBOX_emit"
	InboxWorker  = "_INBOX_work"
)

// Permissions of a user in the terms of NATS: subjects, those to subscribe
// followed by a queue group where only that is allowed.
type Permissions struct {
	Publish   []string
	Subscribe []string
	Responses bool // may answer what it received
}

// PermissionsOf returns what a role may do in a cluster. Emitters and workers
// can be limited to some namespaces; without any they may act in all.
//
// Errors: those of [subject.New], and an unknown role.
func PermissionsOf(cluster string, role Role, namespaces ...string) (Permissions, error) {
	space, err := subject.New(cluster)
	if err != nil {
		return Permissions{}, err
	}
	if len(namespaces) == 0 {
		namespaces = []string{backplane.AnyNamespace}
	}
	var p Permissions
	switch role {
	case Node:
		p.Publish = []string{
			space.All(), subject.Inboxes(), InboxEmitter + ".>", InboxWorker + ".>",
			"$JS.API.>", "$JS.ACK.>", "$JS.FC.>",
		}
		p.Subscribe = []string{space.All(), subject.Inboxes(), "$JS.EVENT.ADVISORY.>"}
		return p, nil
	case Emitter:
		p.Subscribe = []string{InboxEmitter + ".>"}
	case Worker:
		p.Responses = true
		p.Subscribe = []string{InboxWorker + ".>", "$SRV.>"}
		for _, ns := range namespaces {
			p.Subscribe = append(p.Subscribe, space.Workers(ns)+" "+subject.Queue)
		}
	default:
		return Permissions{}, fmt.Errorf("embedded: no role is named %q", role)
	}
	for _, ns := range namespaces {
		gateway, _, err := space.Subscribe(backplane.Gateway(ns))
		if err != nil {
			return Permissions{}, fmt.Errorf("embedded: permissions of %s: %w", role, err)
		}
		p.Publish = append(p.Publish, space.IngestIn(ns), space.FastIn(ns), space.PlainEmit(ns), gateway)
	}
	return p, nil
}

// NodePermissions returns what a node may do in a cluster whose streams exist
// already: everything of the cluster, and of JetStream to look at these streams
// and read them.
//
// Errors: those of [subject.New].
func NodePermissions(cluster string, streams ...string) (Permissions, error) {
	p, err := PermissionsOf(cluster, Node)
	if err != nil {
		return Permissions{}, err
	}
	p.Publish = append(slices.DeleteFunc(p.Publish, func(s string) bool { return strings.HasPrefix(s, "$JS.") }), "$JS.API.INFO")
	for _, s := range streams {
		p.Publish = append(p.Publish, "$JS.API.STREAM.INFO."+s, "$JS.API.STREAM.MSG.GET."+s, "$JS.API.DIRECT.GET."+s)
	}
	return p, nil
}

// Password derives the password of a role from a cluster secret, by HKDF with
// SHA-256: the same on every node and wherever else the secret is known. Who has
// it learns nothing of the secret or of another role's password.
func Password(secret, cluster string, role Role) string {
	return derive(secret, cluster, "user "+string(role))
}

// routeUser is the name that servers give each other.
const routeUser = "route"

func routePassword(secret, cluster string) string { return derive(secret, cluster, "route") }

func derive(secret, cluster, purpose string) string {
	key, err := hkdf.Key(sha256.New, []byte(secret), []byte("siod "+cluster), "nats "+purpose, 32)
	if err != nil {
		panic(err) // only a longer key than SHA-256 can give is an error
	}
	return base64.RawURLEncoding.EncodeToString(key)
}

// passwords fills in what was not given.
func (c Config) passwords() Passwords {
	fill := func(given string, role Role) string {
		switch {
		case given != "":
			return given
		case len(c.Routes.Secrets) > 0:
			return Password(c.Routes.Secrets[0], c.Cluster, role)
		}
		return rand.Text()
	}
	return Passwords{
		Node:    fill(c.Passwords.Node, Node),
		Emitter: fill(c.Passwords.Emitter, Emitter),
		Worker:  fill(c.Passwords.Worker, Worker),
	}
}

// routePasswords returns those of all secrets, the one to send first.
func (c Config) routePasswords() []string {
	if len(c.Routes.Secrets) == 0 {
		// Loopback only: what is left is that other clusters of the machine, and
		// clients at the wrong port, are kept out by mistake.
		return []string{routePassword("", c.Cluster)}
	}
	var all []string
	for _, s := range c.Routes.Secrets {
		all = append(all, routePassword(s, c.Cluster))
	}
	return all
}
