package archtest

import (
	"flag"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/packages.txt anew")

func TestPackageList(t *testing.T) {
	const name = "testdata/packages.txt"
	var got strings.Builder
	for _, p := range source(t).sorted() {
		got.WriteString(p.path + "\n")
	}
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(want)), strings.Fields(got.String())); diff != "" {
		t.Errorf("packages differ from %s (-listed +found); if this is meant, run the test with -update and see whether a rule names them:\n%s", name, diff)
	}
}

// A rule about a package that does not exist protects nothing.
func TestRulesHaveSubjects(t *testing.T) {
	tr := source(t)
	exists := func(pattern string) bool {
		for p := range tr.pkgs {
			if matches(pattern, p) {
				return true
			}
		}
		return false
	}
	var named []string
	for _, l := range layers {
		named = append(append(named, l.subject), l.ours...)
	}
	for _, k := range keepers {
		named = append(named, k.only...)
		if p, ok := ours(k.imported); ok {
			named = append(named, p)
		}
	}
	named = append(named, forTests...)
	for _, pattern := range named {
		if base := strings.TrimSuffix(pattern, "/..."); !exists(pattern) && !slices.Contains(planned, base) {
			t.Errorf("a rule names %s, and there is no such package", pattern)
		}
	}
	for _, p := range planned {
		if exists(p) {
			t.Errorf("%s exists: take it off the list of planned packages", p)
		}
	}
}

func TestLayers(t *testing.T) {
	tr := source(t)
	for _, l := range layers {
		for _, p := range tr.sorted() {
			if !matches(l.subject, p.path) {
				continue
			}
			for imported, chain := range tr.dependencies(p) {
				own, isOurs := ours(imported)
				var wrong bool
				switch {
				case isOurs:
					wrong = own != p.path && !matchesAny(l.ours, own)
				case throughLayer(l, chain):
					// What that layer may import is its own rule's business.
				case standard(imported):
					wrong = matchesAny(l.never, imported)
				default:
					wrong = l.stdOnly || matchesAny(l.never, imported)
				}
				if wrong {
					t.Errorf("%s: %s", strings.Join(chain, " imports "), l.why)
				}
			}
		}
	}
}

// throughLayer says whether an import comes by way of a package that another
// rule binds.
func throughLayer(l layer, chain []string) bool {
	for _, by := range chain[1 : len(chain)-1] {
		own, _ := ours(by)
		for _, other := range layers {
			if other.subject != l.subject && matches(other.subject, own) && !matches(l.subject, own) {
				return true
			}
		}
	}
	return false
}

// dependencies walks what a package imports, through the packages of this
// module. The value is the way to the import.
func (tr *tree) dependencies(p *pkg) map[string][]string {
	found := map[string][]string{}
	var walk func(p *pkg, chain []string)
	walk = func(p *pkg, chain []string) {
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, imported := range f.imports {
				if found[imported] != nil {
					continue
				}
				way := append(slices.Clone(chain), imported)
				found[imported] = way
				if own, ok := ours(imported); ok && tr.pkgs[own] != nil {
					walk(tr.pkgs[own], way)
				}
			}
		}
	}
	walk(p, []string{p.path})
	return found
}

func TestKeepers(t *testing.T) {
	for _, p := range source(t).sorted() {
		for _, f := range p.files {
			for _, imported := range f.imports {
				for _, k := range keepers {
					if matches(k.imported, imported) && !matchesAny(k.only, p.path) {
						t.Errorf("%s imports %s, which only %s may: %s", f.name, imported, strings.Join(k.only, ", "), k.why)
					}
				}
				if !f.test && matchesAny(testOnly, imported) && !matchesAny(forTests, p.path) {
					t.Errorf("%s imports %s: what only tests need must not reach a binary", f.name, imported)
				}
			}
		}
	}
}

func TestProtocolStartsNoGoroutine(t *testing.T) {
	tr := source(t)
	for _, p := range tr.sorted() {
		if !matches("protocol/...", p.path) {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				switch n.(type) {
				case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
					t.Errorf("%s: protocol is pure; who reads, writes or waits is decided above it", tr.fset.Position(n.Pos()))
				}
				return true
			})
		}
	}
}

// Every direct dependency has a line in the decision record about them.
func TestDependenciesHaveReasons(t *testing.T) {
	root := source(t).root
	record, err := os.ReadFile(filepath.Join(root, "docs/adr/0006-dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, p := range source(t).pkgs {
		for _, f := range p.files {
			for _, imported := range f.imports {
				direct[imported] = true
			}
		}
	}
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "v") {
			continue
		}
		used := false
		for imported := range direct {
			used = used || matches(fields[0]+"/...", imported)
		}
		if used && !strings.Contains(string(record), "`"+fields[0]+"`") {
			t.Errorf("docs/adr/0006-dependencies.md does not say why %s is used", fields[0])
		}
	}
}
