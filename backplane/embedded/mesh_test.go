package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

// mesh is a cluster whose members know each other by a group in this process.
type mesh struct {
	group  *static.Group
	change func(*Config)
}

func newMesh(change func(*Config)) *mesh {
	return &mesh{group: static.NewGroup(), change: change}
}

// config joins the group and returns what a server of the mesh is started with.
func (m *mesh) config(t *testing.T, name string) Config {
	t.Helper()
	member, err := m.group.Join(membership.Member{Name: name, Started: time.Now(), Meta: map[string]string{"kept": "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Name:    name,
		Members: member,
		Routes:  RouteConfig{Listen: "127.0.0.1:0", Secrets: []string{"the secret of the cluster"}},
	}
	if m.change != nil {
		m.change(&cfg)
	}
	return cfg
}

func (m *mesh) start(t *testing.T, name string) *Server {
	t.Helper()
	return start(t, m.config(t, name))
}

// reaches waits until a request from one server is answered at another.
func reaches(t *testing.T, from, to *Server) {
	t.Helper()
	subject := "sio.siod.n.n" + to.Name()
	there := connect(t, to)
	sub, err := there.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond([]byte("at " + to.Name())) })
	if err != nil {
		t.Fatal(err)
	}
	here := connect(t, from)
	eventually(t, from.Name()+" reaches "+to.Name(), func() error { return ask(here, subject, to) })
	if err := sub.Unsubscribe(); err != nil {
		t.Error(err)
	}
}

// isolated checks that what is sent at one server does not arrive at another. A
// server that connects counts a route until it is told that it is not let in, so
// routes prove nothing.
func isolated(t *testing.T, from, to *Server) {
	t.Helper()
	subject := "_INBOX_node.to" + to.Name() // which nodes of all clusters may use
	there := connect(t, to)
	sub, err := there.SubscribeSync(subject)
	if err == nil {
		err = there.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	here := connect(t, from)
	for range 20 {
		if _, err := here.Request(subject, nil, 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Fatalf("a request from %s to %s: %v", from.Name(), to.Name(), err)
		}
	}
	if err := there.Flush(); err != nil {
		t.Error(err)
	}
	if n, _, err := sub.Pending(); n != 0 || err != nil {
		t.Errorf("%d messages from %s arrived at %s, %v", n, from.Name(), to.Name(), err)
	}
}

func ask(nc *nats.Conn, subject string, to *Server) error {
	m, err := nc.Request(subject, nil, time.Second)
	if err != nil {
		return err
	}
	if got := string(m.Data); got != "at "+to.Name() {
		return fmt.Errorf("the answer is %q", got)
	}
	return nil
}

func TestMesh(t *testing.T) {
	t.Parallel()
	m := newMesh(nil)
	var all []*Server
	for _, name := range []string{"a", "b", "c"} { // each after the other
		all = append(all, m.start(t, name))
	}
	for _, from := range all {
		for _, to := range all {
			if from != to {
				reaches(t, from, to)
			}
		}
	}
	self := all[0].cfg.Members.Self()
	if self.Meta[MetaRoute] != all[0].RouteAddr() || self.Meta["kept"] != "yes" || self.Meta[MetaStore] != "" {
		t.Errorf("its Meta is %v, its address %q", self.Meta, all[0].RouteAddr())
	}
	// Every server has explicit routes to all others, so that each of them tries
	// again when a route breaks.
	for _, s := range all {
		eventually(t, "routes of "+s.Name(), func() error { return hasRoutes(s, others(all, s)) })
	}
}

func others(all []*Server, but *Server) (routes []string) {
	for _, s := range all {
		if s != but {
			routes = append(routes, s.RouteAddr())
		}
	}
	slices.Sort(routes)
	return routes
}

// hasRoutes compares the routes that a server is configured with.
func hasRoutes(s *Server, want []string) error {
	v, err := s.ns.Varz(nil)
	if err != nil {
		return err
	}
	got := slices.Clone(v.Cluster.URLs)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("its routes go to %q, want %q", got, want)
	}
	return nil
}

// All start at the same time and know nobody: routes come by the membership.
func TestMeshStartsTogether(t *testing.T) {
	t.Parallel()
	m := newMesh(nil)
	type started struct {
		s   *Server
		err error
	}
	results := make(chan started)
	for _, name := range []string{"a", "b", "c"} {
		cfg := m.config(t, name)
		go func() {
			s, err := Start(context.Background(), cfg)
			results <- started{s, err}
		}()
	}
	var all []*Server
	for range 3 {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
			continue
		}
		all = append(all, r.s)
		t.Cleanup(func() { stop(t, r.s) })
	}
	for i, from := range all {
		reaches(t, from, all[(i+1)%len(all)])
	}
}

// Nobody logs in at the port that nats-server needs for a mesh.
func TestMeshClientPortIsShut(t *testing.T) {
	t.Parallel()
	s := newMesh(nil).start(t, "a")
	if s.ClientAddr() != "" {
		t.Errorf("clients are told to connect to %s", s.ClientAddr())
	}
	addr := s.ns.Addr()
	if addr == nil || !isLoopback(hostOf(addr.String())) {
		t.Fatalf("the port is at %v", addr)
	}
	user, password := s.Credentials(Node)
	for what, opt := range map[string]nats.Option{
		"node":   nats.UserInfo(user, password),
		"system": nats.UserInfo(systemUser, s.systemPassword),
		"nobody": nats.Name("nobody"),
	} {
		nc, err := nats.Connect("nats://"+addr.String(), opt, nats.NoReconnect(), nats.Timeout(20*time.Second))
		if err == nil {
			nc.Close()
		}
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestMeshFollowsMembers(t *testing.T) {
	t.Parallel()
	m := newMesh(nil)
	a, b, c := m.start(t, "a"), m.start(t, "b"), m.start(t, "c")
	eventually(t, "all routes", func() error { return hasRoutes(a, others([]*Server{a, b, c}, a)) })

	// One that leaves is gone from the routes.
	if err := c.cfg.Members.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, c)
	eventually(t, "c left", func() error { return hasRoutes(a, []string{b.RouteAddr()}) })

	// One that dies stays, since the network may have been cut.
	m.group.Kill(b.cfg.Members.Self().ID)
	stop(t, b)
	d := m.start(t, "d")
	want := []string{b.RouteAddr(), d.RouteAddr()}
	slices.Sort(want)
	eventually(t, "d came", func() error { return hasRoutes(a, want) })
	reaches(t, a, d)

	// When it comes back under its name, the old address is over.
	again := m.start(t, "b")
	want = []string{again.RouteAddr(), d.RouteAddr()}
	slices.Sort(want)
	eventually(t, "b came back", func() error { return hasRoutes(a, want) })
	reaches(t, again, a)
}

func TestMeshWrongSecret(t *testing.T) {
	t.Parallel()
	var text logged
	m := newMesh(nil)
	cfg := m.config(t, "a")
	cfg.Logger = text.logger(slog.LevelWarn)
	a := start(t, cfg)
	m.change = func(c *Config) { c.Routes.Secrets = []string{"another secret"} }
	b := m.start(t, "b")
	eventually(t, "b is refused", func() error {
		if !strings.Contains(text.String(), "authentication error") {
			return errors.New("not yet")
		}
		return nil
	})
	isolated(t, a, b)
	isolated(t, b, a)
	for _, s := range []*Server{a, b} {
		for _, secret := range s.secrets() {
			if strings.Contains(text.String(), secret) {
				t.Errorf("the log has the password %q", secret)
			}
		}
	}
}

// A new secret is accepted before it is sent, so that nodes can be restarted one
// after the other.
func TestMeshSecretsRotate(t *testing.T) {
	t.Parallel()
	m := newMesh(func(c *Config) { c.Routes.Secrets = []string{"old"} })
	a := m.start(t, "a")
	m.change = func(c *Config) { c.Routes.Secrets = []string{"old", "new"} }
	b := m.start(t, "b")
	reaches(t, a, b)
	stop(t, a)
	m.change = func(c *Config) { c.Routes.Secrets = []string{"new", "old"} }
	c := m.start(t, "c")
	reaches(t, b, c)
	stop(t, b)
	m.change = func(c *Config) { c.Routes.Secrets = []string{"new"} }
	d := m.start(t, "d")
	reaches(t, c, d)
	reaches(t, d, c)
}

func TestMeshWrongCluster(t *testing.T) {
	t.Parallel()
	var text logged
	m := newMesh(func(c *Config) { c.Logger = text.logger(slog.LevelDebug) })
	a := m.start(t, "a")
	m.change = func(c *Config) { c.Cluster = "other" }
	b := m.start(t, "b")
	eventually(t, "b is refused", func() error {
		if !strings.Contains(text.String(), "Cluster Name Conflict") {
			return errors.New("not yet")
		}
		return nil
	})
	isolated(t, a, b)
	isolated(t, b, a)
}

// An address that the others would not take is refused here.
func TestMeshBadAdvertise(t *testing.T) {
	t.Parallel()
	m := newMesh(nil)
	for _, advertise := range []string{"no host", "host:port", "10.0.0.1:99999"} {
		cfg := m.config(t, "a")
		cfg.Routes.Advertise = advertise
		s, err := Start(t.Context(), cfg)
		if err == nil {
			t.Errorf("%q was announced as %q", advertise, s.RouteAddr())
			stop(t, s)
		}
		if meta := cfg.Members.Self().Meta; meta[MetaRoute] != "" || meta["kept"] != "yes" {
			t.Errorf("after a failed start its Meta is %v", meta)
		}
	}
}

// What members say about themselves is not trusted to be an address.
func TestValidRoute(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"10.0.0.1:6222": true, "[fd00::1]:6222": true, "node-1.siod:6222": true,
		"": false, "10.0.0.1": false, "10.0.0.1:0": false, "10.0.0.1:x": false, ":6222": false,
		"a b:1": false, "user@host:1": false, `a"b:1`: false, "a/b:1": false, "a?b:1": false, "a#b:1": false,
		"a%25b:1": false, "\x00:1": false, strings.Repeat("a", 256) + ":1": false,
	} {
		if got := validRoute(addr); got != want {
			t.Errorf("%.20q: %v", addr, got)
		}
	}
	// Whatever passes can be configured.
	s := &Server{cfg: Config{Name: "a", Members: member(t, ""), Routes: RouteConfig{Listen: "127.0.0.1:0"}}.withDefaults()}
	s.routePasswords, s.routeListen, s.advertise = []string{"p"}, "127.0.0.1:0", "127.0.0.1"
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.OneOf(rapid.String(), rapid.StringMatching(`\[?[a-zA-Z0-9._:%^~-]{1,12}\]?`)).Draw(t, "host")
		addr := host + ":" + rapid.StringMatching(`[0-9]{0,5}`).Draw(t, "port")
		if !validRoute(addr) {
			return
		}
		o, err := s.options([]string{addr})
		if err != nil {
			t.Fatalf("%q: %v", addr, err)
		}
		if len(o.Routes) != 1 || o.Routes[0].Host != addr {
			t.Fatalf("%q became %v", addr, o.Routes)
		}
	})
}
