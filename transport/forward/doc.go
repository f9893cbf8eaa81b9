// Package forward lets any node of a cluster answer any request, so that no
// balancer needs sticky sessions. A session id begins with the token of its
// home, the node that has the session. A poll or POST that reaches another node
// is passed to its home over a pooled HTTP/2 connection and the answer streamed
// back; the WebSocket of an upgrade is tunnelled byte for byte.
//
// It stands beside package transport, which asks it by the interface
// transport.Forwarder, and finds homes through package membership.
//
//	fwd, err := forward.New(forward.Config{Membership: members, Secrets: []string{secret}})
//	…
//	srv, err := node.New(node.Config{Transport: transport.Config{Foreign: fwd}, Membership: members, …})
//	…
//	internal := http.NewServeMux()
//	internal.Handle(forward.Path, fwd.Handler(srv)) // on the listener that Member.Addr names
//	go (&http.Server{Handler: internal, Protocols: forward.Protocols()}).Serve(listener)
//
// # What travels
//
// The home sees a request as the first node did: method, path and query,
// headers, body, Host, the address of the TCP peer, and the state of TLS with
// the client's certificates. Headers of proxies such as X-Forwarded-For travel
// as they are, and the home judges by its own transport.Config.TrustedProxies
// whether to believe them. So the origin is checked, a principal is named and
// compression is chosen as if the client had come to its home. All headers of
// the answer, those of CORS among them, are the home's; cookies are set by
// handshakes, which every node answers itself.
//
// Headers that begin with "Siod-Forward" are this package's. A client's are
// dropped, and on the clients' listener they mean nothing. A forwarded request
// is not forwarded again: of two nodes that disagree on a home the client
// learns that the session is unknown.
//
// # What is answered when it fails
//
// Upon any failure of a poll or POST a client opens a new session, which may
// recover the old one; upon one of an upgrade it stays on polling. A home that
// is not a member: 400 and code 1, as for any session that is unknown. A home
// that cannot be reached, when nothing was sent to it: 503, upon which a
// balancer may try another node. A home that broke the connection before its
// answer, or did not answer the checks of the connection: 502; one that did not
// answer in time: 504. An answer that breaks in the middle breaks the
// connection to the client.
//
// What may have been sent is never sent again from here (V18); if a balancer
// sends it again, its home knows it by its "t". HTTP/2 itself sends a request
// again of which the home said that it was not processed (RFC 9113, 8.7).
//
// # Goroutines and locks
//
// A request is forwarded on the HTTP server's goroutine. A tunnel has two, one
// for each direction, which hold no buffer while nothing comes; they end with
// the connection. Connections to homes have those of net/http. Shutdown waits
// for all of them. One mutex guards the sets of requests, tunnels and
// connections, and is held for a few instructions.
package forward
