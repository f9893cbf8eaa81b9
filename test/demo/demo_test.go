package demo

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/test/internal/nodejs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDemo runs every scene of run.mjs against two servers: one that has the
// client, and one that leaves it to the network of caches, which the driver
// plays.
func TestDemo(t *testing.T) {
	nodejs.Setup(t, "browser")
	bin := filepath.Join(t.TempDir(), "siod")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/siod").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dist, err := filepath.Abs("../interop/node_modules/client-" + chat.ClientVersion + "/dist")
	if err != nil {
		t.Fatal(err)
	}
	with, without := dev(t, bin, "--client-bundle", dist), dev(t, bin)
	got := nodejs.Run(t, "run.mjs", "--with", with, "--without", without, "--dist", dist, "--cdn", chat.ClientURL, "--out", t.ArtifactDir())
	if want := 9; got.Cells != want || got.Skipped != 0 {
		t.Errorf("cells run = %d, skipped = %d; want %d and 0", got.Cells, got.Skipped, want)
	}
}

// dev starts siod dev in an empty directory and returns its URL.
func dev(t *testing.T, bin string, args ...string) string {
	t.Helper()
	const patience = 30 * time.Second
	cmd := exec.Command(bin, append([]string{"dev", "--listen=127.0.0.1:0", "--internal-listen=", "--shutdown-timeout=2s"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan string, 1), make(chan error, 1)
	var log strings.Builder // read after ended
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			log.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), `"msg":"listening"`) {
				listening <- lines.Text()
			}
		}
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil || strings.Contains(log.String(), `"level":"ERROR"`) {
				t.Errorf("siod dev ended with %v:\n%s", err, log.String())
			}
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
			t.Errorf("siod dev did not end in %v:\n%s", patience, log.String())
		}
	})
	select {
	case line := <-listening:
		var at struct{ Clients string }
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			t.Fatal(err)
		}
		return "http://" + at.Clients
	case <-time.After(patience):
		t.Fatalf("siod dev does not listen after %v", patience)
	}
	return ""
}
