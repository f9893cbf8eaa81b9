package readme

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/internal/testclient"
)

// TestQuickStart runs the commands of README.md's first block, as they stand
// there, in a shell, in the root of the checkout.
func TestQuickStart(t *testing.T) {
	d := readme(t)
	if len(d.blocks) == 0 || !d.blocks[0].shell() {
		t.Fatal("README.md does not begin with commands")
	}
	var done []string
	for line := range strings.Lines(d.blocks[0].code) {
		words := strings.Join(shellWords(line), " ")
		switch words {
		case "":
			continue
		case "go run ./cmd/siod dev":
			t.Run("dev", func(t *testing.T) { dev(t, line) })
		case "make test": // is what runs this; TestDocuments looks for the target
		default:
			t.Errorf("README.md says %q, and nothing here tries it", words)
		}
		done = append(done, words)
	}
	if got := strings.Join(done, "; "); !strings.Contains(got, "siod dev") || !strings.Contains(got, "make test") {
		t.Errorf("the commands are %s", got)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if version == nil || !strings.Contains(string(text), "It needs Go "+version[1]+";") {
		t.Errorf("README.md and go.mod (%q) do not agree on the version of Go", version)
	}
}

func readme(t *testing.T) *document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return parse("README.md", string(text))
}

// dev runs a line that starts siod dev, looks at its page, and chats.
func dev(t *testing.T, line string) {
	// Where it says that the server is, is where it would be.
	promised := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(line)
	if promised == nil {
		t.Fatalf("%s: does not say where the server is", line)
	}
	for _, command := range []string{"env", "print"} {
		out, err := exec.Command("go", "run", "-C", root, "./cmd/siod", "config", command).Output()
		if err != nil {
			t.Fatalf("siod config %s: %v", command, err)
		}
		if !regexp.MustCompile(`(?m)^(SIOD_LISTEN=|listen: "?)` + regexp.QuoteMeta(promised[1]) + `"?$`).Match(out) {
			t.Errorf("the server is not at %s by itself:\n%s", promised[1], out)
		}
	}

	cmd := exec.Command("sh", "-c", "exec "+line)
	cmd.Dir = root
	var p *process
	t.Cleanup(func() { // when it has ended
		if log := strings.Join(p.log, "\n"); !strings.Contains(log, `"msg":"stopped"`) || strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "exit status") {
			t.Errorf("control-C did not end it in order:\n%s", log)
		}
	})
	p = start(t, cmd, "SIOD_LISTEN=127.0.0.1:0", "SIOD_INTERNAL_LISTEN=127.0.0.1:0")
	url := p.await(`^  demo +(http://127\.0\.0\.1:\d+)/ `)[1]
	metrics := p.await(`^  metrics +(http://127\.0\.0\.1:\d+)/$`)[1]

	page := get(t, url+"/", "text/html")
	scripts := regexp.MustCompile(`(?:src|href)="(/?[\w./-]+)"`).FindAllStringSubmatch(page, -1)
	if len(scripts) < 2 {
		t.Errorf("the page has %d files of its own:\n%s", len(scripts), page)
	}
	for _, m := range scripts {
		get(t, url+"/"+strings.TrimPrefix(m[1], "/"), "text/")
	}
	if text := get(t, url+"/socket.io/?EIO=4&transport=polling", "text/plain"); !strings.HasPrefix(text, `0{"sid":"`) {
		t.Errorf("the handshake is answered %q", text)
	}
	if text := get(t, metrics+"/metrics", "text/plain"); !strings.Contains(text, "siod_connections 1\n") {
		t.Errorf("/metrics does not show the handshake:\n%s", text)
	}

	_, ada := testclient.Connect(t, url, "/", map[string]string{"name": "Ada"})
	_, bob := testclient.Connect(t, url, "/", map[string]string{"name": "Bob"})
	got := testclient.Events(bob, "message")
	testclient.Call[chat.Joined](t, ada, "join", "lobby")
	testclient.Call[chat.Joined](t, bob, "join", "lobby")
	testclient.Call[chat.Receipt](t, ada, "message", "hello")
	if m := testclient.Next1[chat.Message](t, got); m.Text != "hello" || m.From.Name != "Ada" {
		t.Errorf("Bob got %+v", m)
	}
}

// get fetches what must be there and of a type.
func get(t *testing.T, url, kind string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) {
		t.Errorf("%s: %d %s, want %s", url, res.StatusCode, res.Header.Get("Content-Type"), kind)
	}
	return string(body)
}
