package cluster

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// emitter is a connection with the rights of one, limited to some namespaces.
type emitter struct {
	t  *testing.T
	nc *nats.Conn
	sp subject.Space
	n  uint64
}

// newEmitter logs in at a node's server. Its rights are those of the role: what
// NATS itself refuses is tested elsewhere.
func newEmitter(t *testing.T, n *Node) *emitter {
	t.Helper()
	sp, err := subject.New(n.cfg.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	user, password := n.server.Credentials(embedded.Emitter)
	nc, err := nats.Connect("nats://"+n.server.ClientAddr(), nats.UserInfo(user, password), nats.CustomInboxPrefix(embedded.InboxEmitter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return &emitter{t: t, nc: nc, sp: sp}
}

// publish sends an envelope to a subject, and asks for an answer if reply is not
// empty.
func (e *emitter) publish(subj, reply string, m wire.Message) {
	e.t.Helper()
	if err := e.nc.PublishMsg(&nats.Msg{Subject: subj, Reply: reply, Data: m.Append(nil)}); err != nil {
		e.t.Fatalf("to %s: %v", subj, err)
	}
}

// event is one for all sockets of a namespace.
func (e *emitter) event(origin, ns, name string) wire.Message {
	e.n++
	return wire.Message{Envelope: backplane.Envelope{
		Kind: backplane.KindEvent, Origin: origin, ID: e.n, Namespace: ns,
		Frames: protocol.Frames{Text: fmt.Appendf(nil, `2%s["%s"]`, map[bool]string{true: "", false: ns + ","}[ns == "/"], name)},
	}}
}

// TestForgedEnvelopes: an emitter emits and does nothing else, whatever its
// envelopes say: it joins, ends and asks for nobody, runs no handler of a server,
// speaks for no other namespace than that of the subject, takes no number of
// somebody else's emits, and ends no recovery.
func TestForgedEnvelopes(t *testing.T) {
	t.Parallel()
	p, err := run(t, Config{
		Secrets: testSecrets, Gossip: "127.0.0.1:0", Stores: 1, Store: true, StoreDir: t.TempDir(), Name: "a", Recovery: true,
		NATS: NATS{Listen: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan string, 10)
	p.srv.Of("/").OnServerEvent("internal", func(context.Context, *node.ServerEvent) (any, error) {
		ran <- "internal"
		return nil, nil
	})
	p.srv.Of("/b")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	conn, root := testclient.Connect(t, p.url, "/", nil)
	var heard []string
	gone := make(chan client.Reason, 8)
	all := make(chan *client.Event, 100)
	root.OnAny(func(ev *client.Event) { all <- ev })
	root.OnDisconnect(func(why client.Reason) { gone <- why })
	_, other := testclient.Connect(t, p.url, "/b", nil)
	beside, err := conn.Connect(ctx, "/b", nil) // over the same connection
	if err != nil {
		t.Fatal(err)
	}
	heardBeside := make(chan *client.Event, 100)
	beside.OnAny(func(ev *client.Event) { heardBeside <- ev })
	beside.OnDisconnect(func(why client.Reason) { gone <- why })
	others := make(chan *client.Event, 100)
	other.OnAny(func(ev *client.Event) { others <- ev })

	e := newEmitter(t, p.Node)
	answers, err := e.nc.SubscribeSync(embedded.InboxEmitter + ".x")
	if err != nil {
		t.Fatal(err)
	}
	subj := func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	fast := subj(e.sp.Fast(backplane.Namespace("/")))
	ingest := subj(e.sp.Ingest(0, backplane.Namespace("/")))
	forged := map[string]wire.Message{}
	for op := range backplane.Op(20) {
		forged[fmt.Sprint("operation ", op)] = wire.Message{Envelope: backplane.Envelope{
			Kind: backplane.KindOperation, Op: op, Origin: p.ID(), ID: 1 << 40, Namespace: "/",
			Data: []byte(`{"rooms":["r"],"close":true,"fetch":{"handshake":true},"emitted":9007199254740991}`),
		}}
	}
	internal := e.event(p.ID(), "/", "internal")
	internal.Kind = backplane.KindServerEvent
	forged["server event"] = internal
	forged["break"] = wire.Message{Envelope: backplane.Envelope{Kind: backplane.KindBreak, Origin: p.ID(), ID: 1<<53 - 1, Namespace: "/"}}
	degraded := e.event(p.ID(), "/", "degraded")
	degraded.Flags |= backplane.FlagDegraded
	forged["degraded"] = degraded
	// Frames that speak for another namespace, or are no event: they go to fast and
	// ingest alike.
	for _, text := range []string{
		`2/b,["not here"]`, `41`, `1/b,`, `1`, `21["not here"]`, `2["connect"]`, `2["not here"`, ``, `4{"message":"no"}`,
		"2[\"not here\"]\x1e41/b,", "2[\"not here\",\"\xff\"]", `51-["not here",{"_placeholder":true,"num":0}]`,
	} {
		m := e.event("x", "/", "not here")
		m.Frames.Text = []byte(text)
		e.publish(fast, "", m)
		e.publish(ingest, "", m)
	}
	for _, m := range forged {
		for _, at := range []string{
			fast, ingest, subj(e.sp.Fast(backplane.Room("/", root.ID()))), subj(e.sp.Fast(backplane.Socket("/", p.Token()+"x"))),
		} {
			e.publish(at, answers.Subject, m)
		}
	}
	e.publish(fast, "", e.event("x", "/b", "not here"))
	e.publish(ingest, "", e.event("x", "/b", "not here"))
	// The ids by which the log knows the node's own emits again.
	for id := range 200 {
		msg := &nats.Msg{Subject: ingest, Data: []byte("nonsense"), Header: nats.Header{"Nats-Msg-Id": {fmt.Sprintf("%s-%d", p.ID(), id)}}}
		if err := e.nc.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
	}
	e.publish(fast, "", e.event("emitter", "/", "fast end"))
	e.publish(ingest, "", e.event("emitter", "/", "durable end"))
	if err := e.nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.srv.Of("/").To().Durable().Emit(ctx, "own"); err != nil {
		t.Fatal(err)
	}
	for left := map[string]bool{"fast end": true, "durable end": true, "own": true}; len(left) > 0; {
		ev := testclient.Wait(t, all)
		heard = append(heard, ev.Name)
		delete(left, ev.Name)
	}
	for _, name := range heard {
		switch name {
		case "fast end", "durable end", "own", "degraded": // that one is an event
		default:
			t.Errorf("a client got %q", name)
		}
	}
	// What the log's server writes into headers, written before it. The client in
	// "/" has all that came before, so a break here would end its recovery.
	elsewhere := subj(e.sp.Ingest(0, backplane.Namespace("/b")))
	ended := wire.Message{Envelope: backplane.Envelope{Kind: backplane.KindBreak, Origin: "x", ID: 1, Namespace: "/"}}
	for _, more := range []nats.Header{
		{},
		{"Nats-Sequence": {"1"}, "Nats-Time-Stamp": {"2026-01-01T00:00:00Z"}, "Nats-Last-Sequence": {"1"}},
		{"Status": {"404"}},
	} {
		for at, m := range map[string]wire.Message{e.sp.IngestControl(0): ended, elsewhere: e.event("x", "/b", "not here")} {
			h := maps.Clone(more)
			h["Nats-Subject"] = []string{at}
			if err := e.nc.PublishMsg(&nats.Msg{Subject: ingest, Data: m.Append(nil), Header: h}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.srv.Of("/b").To().Durable().Emit(ctx, "own"); err != nil {
		t.Fatal(err)
	}
	if ev := testclient.Wait(t, others); ev.Name != "own" {
		t.Errorf("a client of another namespace got %q", ev.Name)
	}
	select {
	case ev := <-heardBeside:
		if ev.Name != "own" {
			t.Errorf("a client in two namespaces got %q in the other", ev.Name)
		}
	default:
	}
	select {
	case why := <-gone:
		t.Errorf("a client was disconnected: %s", why)
	case what := <-ran:
		t.Errorf("a handler of a server ran: %s", what)
	default:
	}
	for {
		m, err := answers.NextMsg(10 * time.Millisecond)
		if err != nil {
			break
		}
		if len(m.Data) > 0 && m.Data[0] != '{' { // the stream's acknowledgements are JSON
			t.Errorf("the emitter was answered: %q", m.Data)
		}
	}
	if st := p.srv.Stats(); st.EnvelopesForged == 0 {
		t.Errorf("nothing forged is counted")
	}
	if n := p.nats.Stats().Forged; n == 0 {
		t.Errorf("nothing forged is counted in the log")
	}
	// Nothing of it ends recoveries.
	sid, recovered := root.ID(), make(chan bool, 1)
	root.OnConnect(func() { recovered <- root.Recovered() })
	conn.Drop()
	if !testclient.Wait(t, recovered) || root.ID() != sid {
		t.Error("the client did not recover")
	}
}
