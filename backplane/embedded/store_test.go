package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/membership"
)

// stores is a mesh with three store nodes, which are started at the same time.
func stores(t *testing.T, m *mesh, names ...string) map[string]*Server {
	t.Helper()
	type started struct {
		name string
		s    *Server
		err  error
	}
	results := make(chan started)
	for _, name := range names {
		cfg := m.config(t, name)
		cfg.IsStore = true
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s, err := Start(ctx, cfg)
			results <- started{name, s, err}
		}()
	}
	all := make(map[string]*Server)
	for range names {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
			continue
		}
		all[r.name] = r.s
		t.Cleanup(func() { stop(t, r.s) })
	}
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// streamLeader returns the name of the server that leads the stream "log".
func streamLeader(t *testing.T, from *Server) string {
	t.Helper()
	var leader string
	eventually(t, "a leader of the stream", func() error {
		info, err := streamInfo(t, from)
		if err != nil {
			return err
		}
		leader = info.Cluster.Leader
		if leader == "" {
			return errors.New("none")
		}
		return nil
	})
	return leader
}

func streamInfo(t *testing.T, from *Server) (*jetstream.StreamInfo, error) {
	t.Helper()
	nc := connect(t, from)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	st, err := js.Stream(ctx, "log")
	if err != nil {
		return nil, err
	}
	return st.Info(ctx)
}

// current waits until all replicas of the stream are.
func current(t *testing.T, from *Server) {
	t.Helper()
	eventually(t, "replicas", func() error {
		info, err := streamInfo(t, from)
		if err != nil {
			return err
		}
		if len(info.Cluster.Replicas) != 2 {
			return fmt.Errorf("the stream has %d replicas besides its leader", len(info.Cluster.Replicas))
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return fmt.Errorf("%s is behind", r.Name)
			}
		}
		return nil
	})
}

func TestThreeStores(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"s1": t.TempDir(), "s2": t.TempDir(), "s3": t.TempDir()}
	m := newMesh(func(c *Config) {
		c.Store = 3
		c.Dir = dirs[c.Name] // "" for a node that stores nothing
	})
	core := m.start(t, "core") // before any store is there
	all := stores(t, m, "s1", "s2", "s3")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := core.StoreReady(ctx); err != nil {
		t.Fatal(err)
	}
	put(t, core, jetstream.FileStorage, 3, "one")
	current(t, core)

	// The newcomer made every server reload its routes; a server that stores
	// nothing still reaches the others' JetStream.
	late := m.start(t, "late")
	eventually(t, "routes", func() error {
		return hasRoutes(core, others([]*Server{all["s1"], all["s2"], all["s3"], late}, core))
	})
	for _, s := range []*Server{core, late, all["s1"]} {
		if got := last(t, s); got != "one" {
			t.Errorf("at %s the newest entry is %q", s.Name(), got)
		}
	}

	// Its leader steps down and stops; the others go on.
	leader := all[streamLeader(t, core)]
	down, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := leader.StepDown(down); err != nil {
		t.Fatal(err)
	}
	if led, err := leader.leads(); err != nil || led.any() {
		t.Errorf("after stepping down it leads %+v, %v", led, err)
	}
	if err := leader.cfg.Members.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	stop(t, leader)
	js, err := jetstream.New(connect(t, core))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, js, "two")

	// It comes back with its directory, and catches up.
	again := m.config(t, leader.Name())
	again.IsStore = true
	all[leader.Name()] = start(t, again)
	current(t, core)
	if got := last(t, all[leader.Name()]); got != "two" {
		t.Errorf("the newest entry is %q", got)
	}

	// All stop in good order, and come back, the last one only after the others
	// were ready.
	var alone bool
	for _, s := range all {
		err := s.StepDown(down)
		alone = errors.Is(err, ErrAlone)
		if err != nil && !alone {
			t.Error(err)
		}
		if err := s.cfg.Members.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		stop(t, s)
	}
	if !alone {
		t.Error("the last of three found somebody to take over")
	}
	two := stores(t, m, "s1", "s2")
	if got := last(t, two["s1"]); got != "two" {
		t.Errorf("with two of three the newest entry is %q", got)
	}
	stores(t, m, "s3")
	current(t, core)
}

// Names are identities, and a log of three in memory outlives each of its nodes.
func TestThreeStoresInMemory(t *testing.T) {
	t.Parallel()
	m := newMesh(func(c *Config) { c.Store = 3 })
	all := stores(t, m, "s1", "s2", "s3")
	put(t, all["s1"], jetstream.MemoryStorage, 3, "one")
	current(t, all["s1"])
	stop(t, all["s2"])
	m.group.Kill(all["s2"].cfg.Members.Self().ID)
	js, err := jetstream.New(connect(t, all["s1"]))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, js, "two")
	stores(t, m, "s2")
	current(t, all["s1"])
	if got := last(t, all["s3"]); got != "two" {
		t.Errorf("the newest entry is %q", got)
	}
}

func TestOneStoreInAMesh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := newMesh(func(c *Config) {
		c.Store = 1
		if c.Name == "s1" {
			c.Dir, c.Keys = dir, []string{"a key of the test"} // sets of servers store in another form
		}
	})
	store := stores(t, m, "s1")["s1"]
	core := m.start(t, "core")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := core.StoreReady(ctx); err != nil {
		t.Fatal(err)
	}
	put(t, core, jetstream.FileStorage, 1, "one")
	if got := last(t, core); got != "one" {
		t.Errorf("the newest entry is %q", got)
	}
	if err := store.StepDown(ctx); err != nil {
		t.Errorf("the only store steps down: %v", err)
	}
	stop(t, store)
	m.group.Kill(store.cfg.Members.Self().ID)
	began := time.Now()
	again := stores(t, m, "s1")["s1"]
	t.Logf("it starts again in %v", time.Since(began))
	if got := last(t, core); got != "one" {
		t.Errorf("after a restart the newest entry is %q", got)
	}
	if st := again.Stats(); st.StoreLeader != "s1" || st.StoreBytes == 0 {
		t.Errorf("its figures are %+v", st)
	}
	info, err := again.ns.Jsz(nil)
	if err != nil || info.Meta == nil || info.Meta.Size != 1 {
		t.Errorf("its set is %+v, %v", info.Meta, err)
	}
}

// A store node does not begin before all are there, and says who is missing.
func TestStoresWaitForAll(t *testing.T) {
	t.Parallel()
	m := newMesh(func(c *Config) { c.Store, c.IsStore = 3, true })
	cfg := m.config(t, "s1")
	other, err := m.group.Join(membership.Member{Name: "s2", Started: time.Now(),
		Meta: map[string]string{MetaRoute: "127.0.0.1:1", MetaStore: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // as soon as it is announced
		for ev := range other.Watch(ctx) {
			if ev.Member.Name == "s1" && ev.Member.Meta[MetaStore] == "1" {
				cancel()
			}
		}
	}()
	s, err := Start(ctx, cfg)
	if err == nil {
		stop(t, s)
	}
	if !errors.Is(err, ErrNotReady) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "2 of 3") {
		t.Errorf("with two of three: %v", err)
	}

	cfg = m.config(t, "s4")
	cfg.StartTimeout = time.Millisecond
	if _, err := Start(t.Context(), cfg); !errors.Is(err, ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its time: %v", err)
	}

	cfg = m.config(t, "s5")
	if err := cfg.Members.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), cfg); !errors.Is(err, membership.ErrLeft) {
		t.Errorf("after it left: %v", err)
	}
}

// One that lost what it stored waits for all, as at the first start: it must not
// outvote, with another, the one that still has it.
func TestEmptiedStoreWaits(t *testing.T) {
	t.Parallel()
	cfg := newMesh(nil).config(t, "a")
	cfg.Store, cfg.IsStore, cfg.Dir = 3, true, t.TempDir()
	s, err := prepare(cfg.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { <-s.shutdown() }()
	s.route = "10.0.0.1:1"
	if err := s.remember([]string{"10.0.0.2:1", "10.0.0.3:1"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.firstRoutes(ctx, s.newTable()); !errors.Is(err, ErrNotReady) {
		t.Errorf("with an emptied store: %v", err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(s.groupFile()), 0o700), os.WriteFile(s.groupFile(), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := s.firstRoutes(ctx, s.newTable())
	if want := []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("with what it stored: %q, %v", got, err)
	}
}

// A directory belongs to one server, of one cluster, in one kind of set.
func TestStoreDirRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{Name: "a", Store: 1, Dir: dir}
	s := start(t, cfg)
	if _, err := Start(t.Context(), cfg); !errors.Is(err, ErrStoreDir) || !strings.Contains(err.Error(), "another server uses it") {
		t.Errorf("the directory of a running server: %v", err)
	}
	stop(t, s)

	mesh := newMesh(nil).config(t, "a")
	mesh.Store, mesh.IsStore, mesh.Dir = 1, true, dir
	three := mesh
	three.Store = 3
	for what, c := range map[string]Config{
		"another name":    {Name: "b", Store: 1, Dir: dir},
		"another cluster": {Name: "a", Cluster: "other", Store: 1, Dir: dir},
		"a mesh":          mesh,
		"three":           three,
	} {
		if _, err := Start(t.Context(), c); !errors.Is(err, ErrStoreDir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(mesh.Members.Self().Meta[MetaRoute]) != 0 {
		t.Error("a server that was refused announced itself")
	}
	s = start(t, cfg) // and is not harmed
	stop(t, s)

	name := filepath.Join(dir, markName)
	for what, text := range map[string]string{
		"garbage":         "{",
		"a later version": later(t, name),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(t.Context(), cfg); !errors.Is(err, ErrStoreDir) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// later returns the mark as a later version would write it.
func later(t *testing.T, name string) string {
	t.Helper()
	m, err := readMark(filepath.Dir(name))
	if err != nil || m == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	m.Version++
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A port that was free when it was chosen may be taken when it is needed.
func TestStorePortTaken(t *testing.T) {
	t.Parallel()
	cfg := newMesh(nil).config(t, "a")
	cfg.Store, cfg.IsStore, cfg.Dir = 1, true, t.TempDir()
	s, err := prepare(cfg.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { <-s.shutdown() }()
	if chosen, err := s.chooseRoute(); err != nil || !chosen {
		t.Fatalf("chosen %v, %v", chosen, err)
	}
	l, err := net.Listen("tcp", s.routeListen)
	if err != nil {
		t.Fatal(err)
	}
	err = s.run(t.Context(), []string{s.route})
	if err == nil || !s.portTaken(err) {
		t.Fatalf("its port is in use: %v", err)
	}
	if s.portTaken(errors.New("another reason")) {
		t.Error("a start is tried again for whatever reason")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context(), []string{s.route}); err != nil {
		t.Errorf("the second try: %v", err)
	}
}
