// Package embedded runs a NATS server inside the process, so that a cluster
// needs no broker to be installed. It stands below package natsio, which speaks
// to the server as it would to any other, and is the only package that knows
// nats-server.
//
// There are three forms of it.
//
// Standalone: one node. Nothing listens, connections are made in the process,
// and with Store 1 the node keeps logs by itself.
//
//	s, err := embedded.Start(ctx, embedded.Config{Name: "a", Store: 1, Dir: "/var/lib/siod"})
//	…
//	nc, err := nats.Connect("", append(s.NodeOptions(), nats.InProcessServer(s))...)
//
// A mesh: several nodes, each with a server, every pair connected by routes.
// Members of the cluster say in their Meta where their route listener is
// ([MetaRoute]); routes come and go with them.
//
//	s, err := embedded.Start(ctx, embedded.Config{
//		Name:    member.Name,
//		Routes:  embedded.RouteConfig{Listen: "10.0.0.7:6222", Secrets: secrets, TLS: tls},
//		Members: gossip,
//	})
//
// A mesh with a store: JetStream runs on an explicit set of one or three nodes
// with stable names and directories, which say so in their Meta ([MetaStore]).
// Every node sets Store to their number, and they themselves IsStore. The set is
// never grown or shrunk by who is alive: the quorum of its raft groups counts
// those that are meant to be there. For the same reason two are refused, which
// are less available than one.
//
// # How a set of stores begins
//
// Of three store nodes each waits until it sees all three among the members, and
// starts its server once, with the routes to the others. Once it had a leader, it
// notes so in its directory, and from then on starts at once: two of three are
// enough. JetStream is never enabled on a server that runs already, since the
// others would not take it for a place to put a stream. A single store node in a
// mesh begins by itself; its first start takes one election time-out of raft,
// 4 to 9 s, later ones below a second.
//
// # Who may do what
//
// Everything of ours happens in the account SIO. Its users are the roles
// ([Role]): the node itself, emitters and workers, the latter two only where a
// client listener is open. Passwords are given, or derived from the cluster
// secret ([Password]), or drawn at each start. The account SYS has one user with
// a random password that only connections within the process can use. On routes
// the server that connects sends a password derived from the secret, and asks
// none of the other; who is let in is trusted with everything. What proves the
// other end, and hides the password, is TLS, which beyond loopback is required.
//
// # Goroutines and locks
//
// A server of nats-server has dozens of goroutines, which end with Shutdown; a
// few of them end shortly after it returned. A member of a mesh has one more of
// ours, which follows the membership. Server.mu guards the state of shutting
// down and nothing is called while it is held; the table of routes belongs to
// the goroutine that follows.
//
// # In the process at large
//
// nats-server sets the rate of block profiles to 0 when it starts, and its
// imports register net/http/pprof on the default mux of net/http; siod serves
// neither.
package embedded
