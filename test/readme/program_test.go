package readme

import (
	"go/parser"
	"go/token"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/test/internal/nodejs"
)

// TestProgram compiles README.md's server as a program of a module of its own
// that uses this one, runs it, and lets README.md's client and others talk to
// it. The imports are those of the example that README.md names for them.
func TestProgram(t *testing.T) {
	source, script := "", ""
	for _, b := range readme(t).blocks {
		switch b.language {
		case "go":
			source += b.code
		case "js":
			script += b.code
		}
	}
	const address = "127.0.0.1:3000"
	if strings.Count(source, address) != 1 || strings.Count(script, "http://"+address) != 1 {
		t.Fatalf("README.md has not one server and one client at %s:\n%s\n%s", address, source, script)
	}
	if n := strings.Count(source, "\n") - 2; n > 16 { // without the lines of func main
		t.Errorf("the fifteen lines are %d", n)
	}

	addr := testaddr.Free(t)
	start(t, exec.Command(build(t, strings.Replace(source, address, addr, 1))))
	listening(t, addr)
	url := "http://" + addr

	// "/chat" has the lobby and "say"; "said" reaches everybody else in it.
	_, ada := testclient.Connect(t, url, "/chat", nil)
	_, bob := testclient.Connect(t, url, "/chat", nil)
	said, own := testclient.Events(bob, "said"), testclient.Events(ada, "said")
	if !testclient.Call[bool](t, ada, "say", "hello") {
		t.Error("the acknowledgement is not true")
	}
	var who, text string
	if testclient.Next(t, said, &who, &text); who != ada.ID() || text != "hello" {
		t.Errorf("Bob got said %q, %q", who, text)
	}
	testclient.Refused(t, url, "/other", nil)

	// README.md's client, beside Ada, who now speaks to it.
	nodejs.Setup(t, "interop")
	path, err := filepath.Abs("../interop/node_modules/client-" + chat.ClientVersion)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "client.cjs")
	program := `const { io } = require("` + path + `");` + "\n" + strings.Replace(script, address, addr, 1)
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	browser := start(t, exec.Command("node", file))
	browser.await(`^delivered to the server: true$`)
	for len(own) > 0 { // what Ada said was not said to her
		testclient.Next(t, own, &who, &text)
		if who == ada.ID() {
			t.Errorf("Ada got her own %q", text)
		}
	}
	testclient.Call[bool](t, ada, "say", "hello, browser")
	if m := browser.await(`^(\S+) hello, browser$`); m[1] != ada.ID() {
		t.Errorf("the client was told %q, want %q", m[1], ada.ID())
	}
}

// listening waits for a program that does not say when it is ready.
func listening(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatalf("nobody listens on %s", addr)
}

// build compiles a main function in a module outside of this one.
func build(t *testing.T, source string) (bin string) {
	t.Helper()
	dir := t.TempDir()
	example := filepath.Join(root, "examples", "minimal", "main.go")
	f, err := parser.ParseFile(token.NewFileSet(), example, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n")
	for _, i := range f.Imports {
		b.WriteString("\t" + i.Path.Value + "\n")
	}
	b.WriteString(")\n\n" + source)
	write(t, filepath.Join(dir, "main.go"), b.String())

	// The versions of what the module needs are known to it.
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, needs, _ := strings.Cut(string(mod), "\n")
	write(t, filepath.Join(dir, "go.mod"), "module program\n"+needs+
		"\nrequire github.com/siod-io/siod v0.0.0\n\nreplace github.com/siod-io/siod => "+here+"\n")
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	bin = filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("README.md's program does not compile: %v\n%s\n%s", err, out, b.String())
	}
	return bin
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
