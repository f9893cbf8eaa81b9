package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// TestDocuments looks through every document for people who read the
// repository.
func TestDocuments(t *testing.T) {
	files := listed(t)
	help, err := exec.Command("go", "run", "-C", root, "./cmd/siod", "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	c, err := survey(root, files, string(help))
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, name := range files {
		if !strings.HasSuffix(name, ".md") || !c.files[name] {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		d := parse(name, string(text))
		looked += len(d.links) + len(d.spans) + len(d.blocks)
		for _, wrong := range c.check(d) {
			t.Error(wrong)
		}
	}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/performance.md"} {
		if !c.files[name] {
			t.Errorf("there is no %s", name)
		}
	}
	if looked < 500 {
		t.Errorf("only %d things were looked at; is the parser lost?", looked)
	}
}

// TestEverythingIsFound wants each page of docs/ to be named in README.md, so
// that a reader who begins there comes to all of them.
func TestEverythingIsFound(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range listed(t) {
		if ok, _ := filepath.Match("docs/*.md", name); ok && !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md does not name %s", name)
		}
	}
}

// listed is what belongs to the checkout.
func listed(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Fields(string(out))
}

// TestDefects plants what can be wrong.
func TestDefects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree := map[string]string{
		"Makefile":         "help: ## Print\n\t@true\ntest: ## Test\n\t@true\nX ?= 1\n",
		"docs/other.md":    "# Other page\n\n## What it *does*, in `code`\n\n## Twice\n\n## Twice\n",
		"node/a_test.go":   "package node\n\nfunc TestOne(t *testing.T) {}\n",
		"load/run.sh":      "true\n",
		"load/exec.sh":     "true\n",
		"docs/adr/0001.md": "# One\n",
	}
	var files []string
	for name, text := range tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if name == "load/exec.sh" {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
	}
	c, err := survey(dir, append(files, "removed.md"), "      --listen text\n      --eio3\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		text string
		want string // "" if nothing is wrong
	}{
		{"[a](docs/other.md)", ""},
		{"[a](docs/gone.md)", "1: link to docs/gone.md: there is no docs/gone.md"},
		{"[a](docs/other.md#other-page)", ""},
		{"[a](docs/other.md#what-it-does-in-code)", ""},
		{"[a](docs/other.md#twice-1)", ""},
		{"[a](docs/other.md#twice-2)", "1: link to docs/other.md#twice-2: docs/other.md has no such heading"},
		{"# Here\n\n[a](#here)", ""},
		{"# Here\n\n[a](#there)", "3: link to #there: d.md has no such heading"},
		{"[a]\n\n[a]: docs/gone.md", "3: link to docs/gone.md: there is no docs/gone.md"},
		{"[a](https://example.com/gone)", ""},
		{"`f[i](x)` is no link", ""},
		{"`docs/other.md` and `docs/` and `node/...` and `removed`", ""},
		{"text\n`docs/gone.md`", "2: there is no docs/gone.md"},
		{"`GONE.md`", "1: there is no GONE.md"},
		{"`removed.md`", "1: there is no removed.md"},
		{"`text/html` is a path of something else", ""},
		{"`--listen` and `--eio3=false`", ""},
		{"`--lisen`", "1: siod has no flag --lisen"},
		{"`siod serve --lisen x`", "1: siod serve --lisen x: siod has no flag --lisen"},
		{"`make test X=2`", ""},
		{"`make tset`", "1: make tset: the Makefile has no target tset"},
		{"a\n\n    make test   # make nothing\n    make nothing", "4: make nothing: the Makefile has no target nothing"},
		{"```sh\n# all of it\nmake\nmake nothing\n```", "4: make nothing: the Makefile has no target nothing"},
		{"    key: make nothing", ""},
		{"```go\nmake nothing\n```", ""},
		{"`go test -run '^$' -bench . ./node/...`", ""},
		{"`go test -run TestOne ./node`", ""},
		{"`go test -run TestTwo ./node`", "1: go test -run TestTwo ./node: no test is called TestTwo"},
		{"`go run ./nodes`", "1: go run ./nodes: there is no package ./nodes"},
		{"`load/exec.sh -r 3`", ""},
		{"`load/run.sh -r 3`", "1: load/run.sh -r 3: load/run.sh cannot be executed"},
		{"`./load/gone.sh -r 3`", "1: ./load/gone.sh -r 3: there is no ./load/gone.sh"},
		{"`load/gone.sh -r 3`", "1: load/gone.sh -r 3: there is no load/gone.sh"},
		{"`sh load/run.sh`", ""},
		{"`sh load/gone.sh`", "1: sh load/gone.sh: no such file"},
	} {
		var want []string
		if p.want != "" {
			want = []string{"d.md:" + p.want}
		}
		if diff := cmp.Diff(want, c.check(parse("d.md", p.text))); diff != "" {
			t.Errorf("%q: -want +got:\n%s", p.text, diff)
		}
	}
}
