package archtest

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxLines is where a file has become two ideas.
const maxLines = 600

func TestFileLength(t *testing.T) {
	for _, p := range source(t).sorted() {
		for _, f := range p.files {
			if f.lines > maxLines {
				t.Errorf("%s has %d lines; at most %d, split it by subject", f.name, f.lines, maxLines)
			}
		}
	}
}

// Every package says what it is in doc.go; a command may do so in main.go.
func TestPackagesAreDocumented(t *testing.T) {
	for _, p := range source(t).sorted() {
		var text string
		for _, f := range p.files {
			name := path.Base(f.name)
			if f.syntax.Doc != nil && (name == "doc.go" || name == "main.go" && f.syntax.Name.Name == "main") {
				text += f.syntax.Doc.Text()
			}
		}
		if len(strings.Fields(text)) < 8 {
			t.Errorf("%s: no doc.go (or, for a command, main.go) with a package comment that says what it is", p.path)
		}
	}
}

func TestNoSleepInTests(t *testing.T) {
	tr := source(t)
	eachCall(tr, func(f *file, call *ast.CallExpr, recv, method string) {
		if f.test && recv == "time" && method == "Sleep" {
			t.Errorf("%s: a test waits for the event it needs, not for time to pass", tr.fset.Position(call.Pos()))
		}
	})
}

func TestNothingIsSkipped(t *testing.T) {
	tr := source(t)
	eachCall(tr, func(f *file, call *ast.CallExpr, recv, method string) {
		switch recv {
		case "t", "b", "f", "tb":
			if strings.HasPrefix(method, "Skip") {
				t.Errorf("%s: a skipped test hides a hole; make it run or make it fail", tr.fset.Position(call.Pos()))
			}
		}
	})
}

// eachCall visits every call of the form recv.method(…), recv being one name.
func eachCall(tr *tree, visit func(f *file, call *ast.CallExpr, recv, method string)) {
	for _, p := range tr.sorted() {
		for _, f := range p.files {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					if recv, ok := sel.X.(*ast.Ident); ok {
						visit(f, call, recv.Name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// undone is put together from halves so that this file does not match itself.
var undone = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|\b(it|describe|test)\.(on` + `ly|sk` + `ip)\(`)

func TestNothingIsLeftUndone(t *testing.T) {
	tr := source(t)
	for _, name := range tr.texts {
		src, err := os.ReadFile(filepath.Join(tr.root, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(src), "\n") {
			if undone.MatchString(line) {
				t.Errorf("%s:%d: finish it or file an issue: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// Every package with tests ends them with a look for goroutines left over.
func TestLeaksAreChecked(t *testing.T) {
	for _, p := range source(t).sorted() {
		tests, checked := false, false
		for _, f := range p.files {
			if !f.test {
				continue
			}
			for _, d := range f.syntax.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil {
					continue
				}
				tests = tests || strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain"
				if fn.Name.Name == "TestMain" {
					ast.Inspect(fn, func(n ast.Node) bool {
						if id, ok := n.(*ast.Ident); ok && id.Name == "goleak" {
							checked = true
						}
						return true
					})
				}
			}
		}
		if tests && !checked {
			t.Errorf("%s: no TestMain with goleak.VerifyTestMain", p.path)
		}
	}
}
