package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/test/internal/natsserver"
)

// soon is how long a request may go on after a server that it concerns was
// killed.
const soon = 5 * time.Second

// TestRequestsAtDeath: requests to all servers, of which one is killed, end soon
// with what the others answered, and name it.
func TestRequestsAtDeath(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { requestsAtDeath(t, nil) })
	t.Run("external", func(t *testing.T) {
		requestsAtDeath(t, natsserver.Start(t, natsserver.Build(t), natsserver.Loopback(t, 1)...))
	})
}

func requestsAtDeath(t *testing.T, nats []*natsserver.Server) {
	const servers, each = 3, 4
	all := startServers(t, servers, func(s *settings) {
		if len(nats) > 0 {
			s.NATS, s.Store, s.Replicas = natsserver.URL(nats), false, len(nats)
		}
	})
	for _, p := range all {
		for range each {
			answering(t, *p.addr.Load())
		}
	}
	asker, victim := all[0], all[servers-1]

	// With all of them alive.
	whole := request(t, asker)
	for kind, o := range whole {
		want := eachKind * servers * each
		if kind == "ServerSideCollect" {
			want = eachKind * (servers - 1)
		}
		if o.Whole != eachKind || o.Answers != want {
			t.Errorf("%s: %+v, want %d whole ones with %d answers", kind, *o, eachKind, want)
		}
	}

	// One stands still, so that none ends before it is killed.
	if err := victim.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if asker.ask("begin") == nil {
		t.Fatal(asker.complaints(40))
	}
	if n := number(asker.ask("pending"), 1); n != uint64(eachKind*len(kindsOfRequests)) {
		t.Fatalf("%d requests are under way", n)
	}
	killed := time.Now()
	victim.kill()
	for kind, o := range awaitRequests(t, asker) {
		want := eachKind * (servers - 1) * each
		if kind == "ServerSideCollect" {
			want = eachKind * (servers - 2)
		}
		took := o.Last.Sub(killed)
		t.Logf("%s: the last of %d ended %v after the kill: %v", kind, o.Ended, took.Round(time.Millisecond), o.Named)
		if o.Named[victim.id+" dead"] != eachKind || o.Answers != want || took > soon {
			t.Errorf("%s: %+v, want %d that name %s as dead, with %d answers, within %v", kind, *o, eachKind, victim.id, want, soon)
		}
	}
}

// startServers starts servers that hardly emit, and waits until they take
// clients. The test kills them.
func startServers(t testing.TB, n int, change func(*settings)) (all []*process) {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, p := range all {
			p.kill()
			if t.Failed() {
				t.Logf("%s said at last:\n%s", p.name, p.complaints(15))
			}
		}
	})
	var join []string
	for i := range n {
		name := fmt.Sprintf("server-%d", i)
		s := settings{Name: name, Store: i < 3, Dir: filepath.Join(dir, name), Join: join, Window: *window, Rooms: 1, Rate: 1}
		change(&s)
		p, err := launch(s, "", func(*process, []json.RawMessage) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		await(t, p, p.gossips)
		join = append(join, *p.gossip.Load())
	}
	for _, p := range all {
		await(t, p, p.listens)
	}
	return all
}

// request has a server make its requests, and returns what became of them.
func request(t *testing.T, p *process) map[string]*outcomes {
	t.Helper()
	if p.ask("begin") == nil {
		t.Fatal(p.complaints(40))
	}
	return awaitRequests(t, p)
}

func awaitRequests(t *testing.T, p *process) (kinds map[string]*outcomes) {
	t.Helper()
	line := p.ask("await")
	if len(line) < 2 {
		t.Fatalf("%s\nthe requests did not end", p.complaints(40))
	}
	if err := json.Unmarshal(line[1], &kinds); err != nil {
		t.Fatal(err)
	}
	if len(kinds) != len(kindsOfRequests) {
		t.Fatalf("%d kinds of requests ended", len(kinds))
	}
	return kinds
}

func await(t testing.TB, p *process, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-p.ended:
		t.Fatalf("%s ended: %s", p.name, p.complaints(40))
	case <-time.After(patience):
		t.Fatalf("%s did not start: %s", p.name, p.complaints(40))
	}
}

// answering connects a client that acknowledges questions.
func answering(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, "http://"+addr, client.Config{Transports: []client.Transport{client.WebSocket}, NoReconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); <-c.Done() })
	s, err := c.Of("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.On("question", func(e *client.Event) { _ = e.Ack(context.Background()) }) // fails when its server is gone
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
}
