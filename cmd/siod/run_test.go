package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/internal/metrics"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/internal/testlog"
)

// instance is a siod that runs inside the test.
type instance struct {
	clients, internal string // URLs
	log               *lines
	end               func() int // ends it and returns its exit code
}

// launch runs a command that serves, and ends it with the test.
func launch(t *testing.T, args ...string) *instance {
	t.Helper()
	in := &instance{log: &lines{found: make(chan string, 1)}}
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		args := append(args, "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--shutdown-timeout=5s")
		code <- run(ctx, args, strings.NewReader(""), &lines{}, in.log, nil)
	}()
	in.end = sync.OnceValue(func() int {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		return <-code
	})
	t.Cleanup(func() {
		if c := in.end(); c != 0 {
			t.Errorf("exit code %d:\n%s", c, in.log)
		}
	})
	select {
	case line := <-in.log.found:
		var at struct{ Clients, Internal string }
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			t.Fatal(err)
		}
		in.clients, in.internal = "http://"+at.Clients, "http://"+at.Internal
	case c := <-code:
		code <- c
		t.Fatalf("exit code %d:\n%s", c, in.log)
	}
	return in
}

// lines is a log that tells the line which says where the server listens.
type lines struct {
	testlog.Buffer
	found chan string
}

func (l *lines) Write(p []byte) (int, error) {
	if l.found != nil && bytes.Contains(p, []byte(`"msg":"listening"`)) {
		l.found <- string(p)
	}
	return l.Buffer.Write(p)
}

// Events without a handler are answered if an answer is wanted, counted, and
// warned of once, in every namespace that clients may enter.
func TestServeWithoutHandlers(t *testing.T) {
	t.Parallel()
	in := launch(t, "serve", "--namespaces=/,/chat,/game-*")
	want := map[string]string{"error": "no handler"}
	for _, ns := range []string{"/", "/chat", "/game-1"} {
		_, s := testclient.Connect(t, in.clients, ns, nil)
		if err := s.Emit(t.Context(), "silent", 1); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, testclient.Call[map[string]string](t, s, "asked", "x", []byte{1})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", ns, diff)
		}
	}
	for _, ns := range []string{"/other", "/gam", "/chat2"} {
		if err := testclient.Refused(t, in.clients, ns, nil); err.Message != "Invalid namespace" {
			t.Errorf("%s: %v", ns, err)
		}
	}
	shown := scrape(t, in)
	for _, line := range []string{
		"siod_events_unhandled_total 6", "siod_events_received_total 6", `siod_sockets{namespace="/chat"} 1`, `siod_sockets{namespace="other"} 1`,
	} {
		if !strings.Contains(shown, line+"\n") {
			t.Errorf("/metrics has no line %s:\n%s", line, shown)
		}
	}
	if strings.Contains(shown, "game") {
		t.Error("a namespace that a client chose is a label")
	}
	if n := in.log.Count("an event has no handler"); n != 1 {
		t.Errorf("warned %d times:\n%s", n, in.log)
	}
	if !strings.Contains(in.log.String(), `"event":"silent"`) {
		t.Errorf("the warning does not name the first event:\n%s", in.log)
	}
	if code := in.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func scrape(t *testing.T, in *instance) string {
	t.Helper()
	res, err := http.Get(in.internal + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What the version says is what the metrics say.
func TestBuildInfo(t *testing.T) {
	t.Parallel()
	in := launch(t, "serve")
	b := thisBuild().labels()
	want := `siod_build_info{goversion="` + b.Go + `",revision="` + b.Revision + `",version="` + b.Version + `"} 1`
	if shown := scrape(t, in); !strings.Contains(shown, want) {
		t.Errorf("no line %s", want)
	}
	if b == (metrics.Build{}) || b.Version == "" {
		t.Errorf("nothing is known of the build: %+v", b)
	}
}

// siod dev serves the demo: its page, and a chat that real clients use.
func TestDevChat(t *testing.T) {
	t.Parallel()
	in := launch(t, "dev")
	res, err := http.Get(in.clients + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page: %d %v", res.StatusCode, res.Header)
	}

	_, ada := testclient.Connect(t, in.clients, "/", map[string]string{"name": "Ada"})
	bobClient, bob := testclient.Connect(t, in.clients, "/", map[string]string{"name": "Bob"})
	got := testclient.Events(bob, "message")
	testclient.Call[chat.Joined](t, ada, "join", "lobby")
	joined := testclient.Call[chat.Joined](t, bob, "join", "lobby")
	if len(joined.People) != 2 {
		t.Errorf("in the room: %+v", joined)
	}
	receipt := testclient.Call[chat.Receipt](t, ada, "message", "hello, Bob")
	if m := testclient.Next1[chat.Message](t, got); m.ID != receipt.ID || m.Text != "hello, Bob" || m.From.Name != "Ada" {
		t.Errorf("Bob got %+v, Ada's receipt is %+v", m, receipt)
	}

	// Recovery is on: what is sent while Bob is away reaches him.
	bobClient.Drop()
	receipt = testclient.Call[chat.Receipt](t, ada, "message", "still there?")
	if m := testclient.Next1[chat.Message](t, got); m.ID != receipt.ID {
		t.Errorf("after the break Bob got %+v", m)
	}
	if !bob.Recovered() {
		t.Error("Bob's connection was not recovered")
	}
	if answer := testclient.Call[map[string]string](t, ada, "unknown"); answer["error"] != "no handler" {
		t.Errorf("an unknown event is answered %v", answer)
	}
	if !strings.Contains(in.log.String(), "FOR DEVELOPMENT ONLY") {
		t.Errorf("no warning:\n%s", in.log)
	}
}
