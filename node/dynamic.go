package node

import (
	"context"
	"regexp"
	"slices"
	"sync"

	"github.com/siod-io/siod/protocol"
)

// Dynamic stands for namespaces that come into being when clients ask for
// them, and go with their last client. Handlers are registered on its
// Namespace and apply to all of them, also to those that exist already; what
// is addressed through it concerns those of them that exist on this server.
type Dynamic struct {
	*Namespace
	pattern *regexp.Regexp // nil for a function
	decide  NamespaceFunc

	childMu  sync.Mutex // taken after the server's lock
	children []*Namespace
}

// NamespaceFunc decides whether the namespace that a client asks for exists for
// it. It is asked for every client, before any middleware. auth has the
// client's auth payload as its only argument. It may block, within ctx. An
// error refuses the client as one of a middleware does.
type NamespaceFunc func(ctx context.Context, name string, auth protocol.Args) (bool, error)

// OfPattern serves every namespace whose name matches the pattern as a whole.
// Namespace.Param gives what groups matched.
func (srv *Server) OfPattern(pattern *regexp.Regexp) *Dynamic {
	whole := regexp.MustCompile(`\A(?:` + pattern.String() + `)\z`)
	return srv.addDynamic(&Dynamic{Namespace: &Namespace{name: pattern.String()}, pattern: whole})
}

// OfFunc serves every namespace that match accepts. A name that no namespace has
// yet is offered to patterns and functions in the order of their registration.
func (srv *Server) OfFunc(match NamespaceFunc) *Dynamic {
	return srv.addDynamic(&Dynamic{Namespace: &Namespace{name: "func"}, decide: match})
}

func (srv *Server) addDynamic(d *Dynamic) *Dynamic {
	d.srv, d.template = srv, d
	d.handlers.Store(&handlers{})
	srv.mu.Lock()
	srv.dynamic = append(slices.Clip(srv.dynamic), d)
	srv.mu.Unlock()
	return d
}

// Children lists the namespaces that exist now on this server.
func (d *Dynamic) Children() []*Namespace {
	d.childMu.Lock()
	defer d.childMu.Unlock()
	return slices.Clone(d.children)
}

// accepts reports whether a client may have the namespace.
func (d *Dynamic) accepts(ctx context.Context, name string, auth protocol.Args) (ok bool, err error) {
	if d.pattern != nil {
		return d.pattern.MatchString(name), nil
	}
	err = d.srv.guard("OfFunc", func() error {
		ok, err = d.decide(ctx, name, auth)
		return err
	})
	return ok, err
}

// child makes a namespace with the handlers of d; the server's lock is held.
func (d *Dynamic) child(name string) *Namespace {
	ns := newNamespace(d.srv, name)
	ns.origin = d
	if d.pattern != nil {
		ns.params = d.pattern.FindStringSubmatch(name)
	}
	d.childMu.Lock()
	d.children = append(d.children, ns)
	d.childMu.Unlock()
	return ns
}

func (d *Dynamic) forget(ns *Namespace) {
	d.childMu.Lock()
	defer d.childMu.Unlock()
	if i := slices.Index(d.children, ns); i >= 0 {
		d.children = slices.Delete(d.children, i, i+1)
	}
}

// Param is the part of the name that the named group of the pattern matched,
// for namespaces of OfPattern, and "" otherwise: with `/org/(?P<id>\d+)`,
// Param("id") of "/org/7" is "7".
func (ns *Namespace) Param(group string) string {
	if ns.origin == nil || ns.origin.pattern == nil {
		return ""
	}
	if i := ns.origin.pattern.SubexpIndex(group); i >= 0 {
		return ns.params[i]
	}
	return ""
}

func (srv *Server) hasDynamic() bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.dynamic) > 0
}

// lookup finds the namespace that a client asks for, making it if a dynamic
// one accepts the name, and counts a user for it, to be released.
func (srv *Server) lookup(ctx context.Context, name string, auth []byte) (*Namespace, error) {
	srv.mu.RLock()
	ns, dynamic := srv.namespaces[name], srv.dynamic
	asks := ns != nil && ns.origin != nil && ns.origin.decide != nil
	if ns != nil && !asks {
		ns.users.Add(1) // under the lock: release removes a namespace only under it
	}
	srv.mu.RUnlock()
	switch {
	case asks:
		dynamic = []*Dynamic{ns.origin}
	case ns != nil:
		return ns, nil
	}
	args, err := authArgs(auth)
	if err != nil {
		return nil, &ConnectError{Message: "Invalid auth payload"}
	}
	for _, d := range dynamic {
		ok, err := d.accepts(ctx, name, args)
		if err != nil {
			return nil, err
		}
		if ok {
			return srv.create(d, name)
		}
	}
	return nil, &ConnectError{Message: "Invalid namespace"}
}

// authArgs is an auth payload as an argument.
func authArgs(auth []byte) (protocol.Args, error) {
	if auth == nil {
		auth = []byte("{}")
	}
	return protocol.ParseArgs(append(append([]byte{'['}, auth...), ']'), nil)
}

func (srv *Server) create(d *Dynamic, name string) (*Namespace, error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	ns := srv.namespaces[name]
	if ns == nil {
		if srv.made >= srv.cfg.MaxDynamic {
			srv.stats.namespacesRefused.Add(1)
			return nil, &ConnectError{Message: "Too many namespaces"}
		}
		ns = d.child(name)
		srv.namespaces[name] = ns
		srv.made++
	}
	ns.users.Add(1)
	return ns, nil
}

// release counts a user less, and removes a dynamic namespace that has none
// left.
func (ns *Namespace) release() {
	if ns.users.Add(-1) > 0 || ns.origin == nil || ns.srv.cfg.KeepEmptyNamespaces {
		return
	}
	srv := ns.srv
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if ns.users.Load() > 0 || ns.permanent || srv.namespaces[ns.name] != ns {
		return
	}
	delete(srv.namespaces, ns.name)
	ns.removed.Store(true)
	srv.made--
	ns.origin.forget(ns)
}

// pattern returns the pattern that serves a namespace of this name, or nil; the
// server's lock is held.
func (srv *Server) pattern(name string) *Dynamic {
	for _, d := range srv.dynamic {
		if d.pattern != nil && d.pattern.MatchString(name) {
			return d
		}
	}
	return nil
}
