package cluster

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/test/internal/natsserver"
	"github.com/siod-io/siod/test/internal/nodejs"
	"github.com/siod-io/siod/test/internal/target"
)

// TestPrintedPermissions runs a NATS server with what siod nats-config prints, by
// which nodes may not make streams, and nodes as the user in there: one of them
// is killed, and everybody has everything.
func TestPrintedPermissions(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	dir := t.TempDir()
	siod := filepath.Join(dir, "siod")
	if out, err := exec.Command("go", "build", "-o", siod, "github.com/siod-io/siod/cmd/siod").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	printed := func(more ...string) string {
		t.Helper()
		cmd := exec.Command(siod, append([]string{"nats-config", "--cluster-name", "printed", "--nats-provision=false"}, more...)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	text := strings.ReplaceAll(printed(), "replace me", "a-password")
	text = strings.Replace(text, "users: [", `users: [ { user: operator, password: "a-password" },`, 1)
	place := natsserver.Loopback(t, 1)[0]
	place.Config = write("nats.conf", text)
	outside := natsserver.Start(t, natsserver.Build(t), place)
	makeStreams(t, natsserver.URL(outside), printed("--json"))

	args := arguments(t, "--cluster-name", "printed", "--app", "interop", "--recovery", "--store-expect", "1",
		"--nats-url", natsserver.URL(outside), "--nats-user", "node", "--nats-password-file", write("password", "a-password"), "--nats-provision=false")
	nodes := target.StartAll(t, args...)
	for _, s := range nodes {
		whole(t, s, 0)
	}
	c := gather(t, balancers[0].start(t, nodes), 6, 20*time.Millisecond)
	c.hears(t, 20, "at first")
	nodes[0].Kill()
	nodes[0] = nodes[0].Again(t)
	whole(t, nodes[0], 0)
	c.hears(t, 20, "after a node was killed")
	c.check(t)
	for i, s := range nodes {
		if strings.Contains(strings.ToLower(s.Log()), "permissions violation") {
			t.Errorf("node %d was not allowed something:\n%s", i, s.Log())
		}
	}
}

// makeStreams makes the streams of what siod nats-config --json prints.
func makeStreams(t *testing.T, url, printed string) {
	t.Helper()
	var setup struct{ Streams []jetstream.StreamConfig }
	if err := json.Unmarshal([]byte(printed), &setup); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(url, nats.UserInfo("operator", "a-password"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range setup.Streams {
		if _, err := js.CreateStream(t.Context(), sc); err != nil {
			t.Fatalf("stream %s: %v", sc.Name, err)
		}
	}
	if len(setup.Streams) != 2 {
		t.Errorf("%d streams are printed", len(setup.Streams))
	}
}
