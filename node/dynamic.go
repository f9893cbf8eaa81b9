package node

import (
	"context"
	"regexp"
	"slices"
	"sync"

	"github.com/siod-io/siod/protocol"
)

// Dynamic stands for namespaces that come into being when clients ask for
// them. Handlers are registered on its Namespace and apply to all of them;
// what is emitted through it goes to the sockets of all of them.
type Dynamic struct {
	*Namespace
	match func(ctx context.Context, name string, auth protocol.Args) (bool, error)

	childMu  sync.Mutex
	children []*Namespace
}

// OfPattern serves every namespace whose name matches the pattern as a whole.
func (srv *Server) OfPattern(pattern *regexp.Regexp) *Dynamic {
	return srv.OfFunc(func(_ context.Context, name string, _ protocol.Args) (bool, error) {
		loc := pattern.FindStringIndex(name)
		return loc != nil && loc[0] == 0 && loc[1] == len(name), nil
	})
}

// OfFunc serves every namespace that match accepts. match gets the client's
// auth payload as the only argument of auth; it may block, within ctx. An
// error refuses the client as one of a middleware does.
func (srv *Server) OfFunc(match func(ctx context.Context, name string, auth protocol.Args) (bool, error)) *Dynamic {
	d := &Dynamic{Namespace: newNamespace(srv, "/*"), match: match}
	d.Namespace.parent = d
	srv.mu.Lock()
	srv.dynamic = append(srv.dynamic, d)
	srv.mu.Unlock()
	return d
}

// Children lists the namespaces that exist now.
func (d *Dynamic) Children() []*Namespace {
	d.childMu.Lock()
	defer d.childMu.Unlock()
	return slices.Clone(d.children)
}

// template reports whether the namespace stands for others.
func (ns *Namespace) template() bool { return ns.parent != nil && ns.parent.Namespace == ns }

// lookup finds the namespace that a client asks for, creating it if a dynamic
// one accepts the name, and counts one socket for it.
func (srv *Server) lookup(ctx context.Context, name string, auth []byte) (*Namespace, error) {
	if ns := srv.static(name); ns != nil {
		return ns, nil
	}
	srv.mu.RLock()
	dynamic := srv.dynamic
	srv.mu.RUnlock()
	if auth == nil {
		auth = []byte("{}")
	}
	args, err := protocol.ParseArgs(append(append([]byte{'['}, auth...), ']'), nil)
	if err != nil {
		return nil, &ConnectError{Message: "Invalid auth payload"}
	}
	for _, d := range dynamic {
		ok, err := d.match(ctx, name, args)
		if err != nil {
			return nil, err
		}
		if ok {
			return srv.create(d, name)
		}
	}
	return nil, &ConnectError{Message: "Invalid namespace"}
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
		ns = newNamespace(srv, name)
		ns.parent = d
		ns.handlers = d.handlers
		srv.namespaces[name] = ns
		srv.made++
		d.childMu.Lock()
		d.children = append(d.children, ns)
		d.childMu.Unlock()
	}
	ns.count.Add(1)
	return ns, nil
}

// release counts one socket less, and removes a dynamic namespace that has
// none left.
func (ns *Namespace) release() {
	if ns.count.Add(-1) > 0 || ns.parent == nil || ns.srv.cfg.KeepEmptyNamespaces {
		return
	}
	srv := ns.srv
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if ns.count.Load() > 0 || srv.namespaces[ns.name] != ns || ns.parent == nil {
		return
	}
	delete(srv.namespaces, ns.name)
	srv.made--
	ns.parent.forget(ns)
}

func (d *Dynamic) forget(ns *Namespace) {
	d.childMu.Lock()
	defer d.childMu.Unlock()
	if i := slices.Index(d.children, ns); i >= 0 {
		d.children = slices.Delete(d.children, i, i+1)
	}
}

// adopted makes a dynamic namespace one that was asked for by name: it keeps
// its handlers and is not removed any more. The server's lock is held.
func (d *Dynamic) adopted(ns *Namespace) {
	d.forget(ns)
	ns.srv.made--
	ns.parent = nil
}
