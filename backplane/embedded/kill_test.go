package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

// Settings of a process that TestMain makes a store node of.
const (
	childDir  = "EMBEDDED_TEST_DIR"
	childMesh = "EMBEDDED_TEST_MESH"
)

// childConfig is the store node, in the process that is killed and in the one
// that comes after it.
func childConfig(dir string, mesh bool) (Config, error) {
	cfg := Config{Name: "child", Store: 1, IsStore: true, Dir: dir}
	if !mesh {
		return cfg, nil
	}
	m, err := static.New(membership.Member{Name: "child", Started: time.Now()})
	cfg.Members = m
	cfg.Routes.Listen = "127.0.0.1:0"
	return cfg, err
}

// child is the process: it stores entries, prints the number of each that was
// acknowledged, and never ends.
func child(dir string, mesh bool) {
	cfg, err := childConfig(dir, mesh)
	if err == nil {
		err = store(cfg)
	}
	fmt.Println("failed:", err)
	os.Exit(1)
}

func store(cfg Config) error {
	ctx := context.Background()
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", append(s.NodeOptions(), nats.InProcessServer(s), nats.CustomInboxPrefix("_INBOX_node.c"))...)
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "log", Subjects: []string{"sio.siod.i.>"}})
	for err == nil {
		var ack *jetstream.PubAck
		if ack, err = js.Publish(ctx, "sio.siod.i.0.n.all", []byte("entry")); err == nil {
			fmt.Println(ack.Sequence)
		}
	}
	return err
}

// What was acknowledged survives SIGKILL, and the next process takes the
// directory over at once.
func TestStoreSurvivesKill(t *testing.T) {
	t.Parallel()
	for name, mesh := range map[string]bool{"alone": false, "mesh": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			acked := killAfter(t, dir, mesh, 200)
			cfg, err := childConfig(dir, mesh)
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, cfg)
			js, err := jetstream.New(connect(t, s))
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the stream is back", func() error {
				st, err := js.Stream(t.Context(), "log")
				if err != nil {
					return err
				}
				info, err := st.Info(t.Context())
				if err == nil && info.State.LastSeq < acked {
					t.Errorf("%d entries were acknowledged, %d are stored", acked, info.State.LastSeq)
				}
				return err
			})
		})
	}
}

// killAfter runs the process until it got so many acknowledgements, kills it,
// and returns the last number it printed.
func killAfter(t *testing.T, dir string, mesh bool, entries uint64) (acked uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	if mesh {
		cmd.Env = append(cmd.Env, childMesh+"=1")
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timeout := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n uint64
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			t.Errorf("the process says %q", lines.Text())
			break
		}
		if acked = n; acked == entries {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if acked < entries {
		t.Fatalf("it ended after %d entries", acked)
	}
	return acked
}
