package embedded

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// client connects to the client listener as a role. Violations of permissions
// arrive on the channel.
func client(t *testing.T, s *Server, role Role, inbox string) (*nats.Conn, <-chan error) {
	t.Helper()
	violations := make(chan error, 100)
	nc := dial(t, "nats://"+s.ClientAddr(), nats.UserInfo(s.Credentials(role)), nats.CustomInboxPrefix(inbox),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	return nc, violations
}

// refused waits for the next violation.
func refused(t *testing.T, what string, violations <-chan error) {
	t.Helper()
	select {
	case err := <-violations:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(patience):
		t.Errorf("%s: not refused", what)
	}
}

func TestClientListener(t *testing.T) {
	t.Parallel()
	s := start(t, Config{
		Name: "a", Store: 1, Listen: "127.0.0.1:0",
		Routes: RouteConfig{Secrets: []string{"the secret"}}, Passwords: Passwords{Worker: `gi"ven\`},
	})
	if _, password := s.Credentials(Emitter); password != Password("the secret", "siod", Emitter) {
		t.Errorf("the emitter's password is %q", password)
	}
	for what, opt := range map[string]nats.Option{
		"nobody":         nats.Name("nobody"),
		"wrong password": nats.UserInfo("emitter", "wrong"),
		"system":         nats.UserInfo(systemUser, s.systemPassword),
		"route":          nats.UserInfo(routeUser, s.routePasswords[0]),
	} {
		nc, err := nats.Connect("nats://"+s.ClientAddr(), opt, nats.NoReconnect(), nats.Timeout(20*time.Second))
		if err == nil {
			nc.Close()
		}
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", what, err)
		}
	}

	node, violations := client(t, s, Node, "_INBOX_node.n1")
	fast, err := node.SubscribeSync("sio.siod.f.>")
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, jetstream.MemoryStorage, 1, "by the node")
	if len(violations) > 0 {
		t.Errorf("a node may not: %v", <-violations)
	}
	if err := node.Flush(); err != nil {
		t.Fatal(err)
	}

	emitter, violations := client(t, s, Emitter, InboxEmitter)
	if err := emitter.Publish("sio.siod.f.n.all", []byte("fast")); err != nil {
		t.Fatal(err)
	}
	if m, err := fast.NextMsg(patience); err != nil || string(m.Data) != "fast" {
		t.Errorf("an emitter's message: %v, %v", m, err)
	}
	js, err := jetstream.New(emitter)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, js, "durable")
	if got := last(t, s); got != "durable" {
		t.Errorf("the newest entry is %q", got)
	}
	if len(violations) > 0 {
		t.Errorf("an emitter may not: %v", <-violations)
	}
	for _, subject := range []string{
		"sio.siod.d.0.n.all", "sio.siod.q.n", "sio.siod.n.nx", "sio.siod.j.n.n", "sio.other.f.n.all",
		"$JS.API.STREAM.PURGE.log", "$SYS.REQ.SERVER.PING", "_INBOX_node.n1.x",
	} {
		if err := emitter.Publish(subject, nil); err != nil {
			t.Error(err)
		}
		refused(t, "an emitter publishes to "+subject, violations)
	}
	for _, subject := range []string{"sio.siod.f.>", "sio.siod.d.>", ">", "_INBOX_node.>", "_INBOX.>", InboxWorker + ".>"} {
		if _, err := emitter.SubscribeSync(subject); err != nil {
			t.Error(err)
		}
		refused(t, "an emitter subscribes "+subject, violations)
	}
}

func TestWorker(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Name: "a", Listen: "127.0.0.1:0"})
	worker, violations := client(t, s, Worker, InboxWorker)
	sub, err := worker.QueueSubscribe("sio.siod.h.n.porder", "sio", func(m *nats.Msg) { _ = m.Respond([]byte("done")) })
	if err != nil {
		t.Fatal(err)
	}
	all, err := worker.QueueSubscribeSync("sio.siod.h.*.*", "sio")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(worker.Flush(), all.Unsubscribe()); err != nil {
		t.Fatal(err)
	}
	nc := connect(t, s)
	eventually(t, "a worker answers", func() error {
		m, err := nc.Request("sio.siod.h.n.porder", nil, time.Second)
		if err == nil && string(m.Data) != "done" {
			err = fmt.Errorf("the answer is %q", m.Data)
		}
		return err
	})
	if err := errors.Join(sub.Unsubscribe(), worker.Publish("sio.siod.f.n.all", nil), worker.Flush()); err != nil {
		t.Error(err)
	}
	if len(violations) > 0 {
		t.Errorf("a worker may not: %v", <-violations)
	}
	if _, err := worker.SubscribeSync("sio.siod.h.n.porder"); err != nil { // and take everybody's
		t.Error(err)
	}
	refused(t, "a worker subscribes alone", violations)
	if err := worker.Publish("_INBOX_node.n1.x", nil); err != nil {
		t.Error(err)
	}
	refused(t, "a worker answers what nobody asked", violations)
}

func TestPermissionsOf(t *testing.T) {
	t.Parallel()
	got, err := PermissionsOf("c", Emitter, "/chat", "/")
	if err != nil {
		t.Fatal(err)
	}
	want := Permissions{
		Publish: []string{
			"sio.c.i.*.nchat.>", "sio.c.f.nchat.>", "sio.c.e.nchat", "sio.c.g.nchat",
			"sio.c.i.*.n.>", "sio.c.f.n.>", "sio.c.e.n", "sio.c.g.n",
		},
		Subscribe: []string{"_INBOX_emit.>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a limited emitter (-want +got):\n%s", diff)
	}
	got, err = PermissionsOf("c", Worker)
	if err != nil || !got.Responses || !slices.Contains(got.Subscribe, "sio.c.h.*.* sio") {
		t.Errorf("a worker: %+v, %v", got, err)
	}
	if _, err := PermissionsOf("c", "admin"); err == nil {
		t.Error("an unknown role has permissions")
	}
	if _, err := PermissionsOf("a.b", Node); err == nil {
		t.Error("a cluster with a bad name has permissions")
	}
}

// A reload of routes has nats-server check every client and subscription again.
// None may be lost by it.
func TestReloadKeepsClients(t *testing.T) {
	t.Parallel()
	m := newMesh(func(c *Config) { c.Listen = "127.0.0.1:0" })
	a := m.start(t, "a")
	lost := make(chan error, 10)
	watch := nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { lost <- err })
	emitter := dial(t, "nats://"+a.ClientAddr(), nats.CustomInboxPrefix(InboxEmitter),
		nats.UserInfo(a.Credentials(Emitter)), watch)
	node := dial(t, "", append(a.NodeOptions(), nats.InProcessServer(a), watch)...)
	sub, err := node.SubscribeSync("sio.siod.f.>")
	if err != nil {
		t.Fatal(err)
	}
	m.change = nil
	b := m.start(t, "b")
	eventually(t, "routes", func() error { return hasRoutes(a, others([]*Server{a, b}, a)) })
	reaches(t, b, a)
	if err := connect(t, b).Publish("sio.siod.f.n.all", []byte("from b")); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(patience); err != nil || string(m.Data) != "from b" {
		t.Errorf("a subscription from before the reload: %v, %v", m, err)
	}
	if err := errors.Join(emitter.Flush(), node.Flush()); err != nil {
		t.Error(err)
	}
	if len(lost) > 0 {
		t.Errorf("a reload of routes disconnected a client: %v", <-lost)
	}
}
