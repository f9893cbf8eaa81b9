package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/siod-io/siod"

// file is one Go source file of the module.
type file struct {
	name    string // path from the module's root, with slashes
	test    bool
	lines   int
	syntax  *ast.File
	imports []string
}

// pkg is one folder with Go files. Files of all build tags count: a rule that
// held on one operating system only would be no rule.
type pkg struct {
	path  string // from the module's root; "." for the root itself
	files []*file
}

// tree is the whole module, and the other text files that the rules about
// words look at.
type tree struct {
	root  string
	fset  *token.FileSet
	pkgs  map[string]*pkg
	texts []string // Go, JavaScript, shell, Python, YAML, Makefile; from the root
}

var load = sync.OnceValues(loadTree)

func source(t *testing.T) *tree {
	t.Helper()
	tr, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func loadTree() (*tree, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			return nil, fs.ErrNotExist
		}
		root = up
	}
	tr := &tree{root: root, fset: token.NewFileSet(), pkgs: map[string]*pkg{}}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && ignored(d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		switch path.Ext(rel) {
		case ".go", ".js", ".mjs", ".sh", ".py", ".yaml", ".yml":
			tr.texts = append(tr.texts, rel)
		}
		if d.Name() == "Makefile" {
			tr.texts = append(tr.texts, rel)
		}
		if path.Ext(rel) != ".go" || nested(root, path.Dir(rel)) {
			return nil
		}
		return tr.add(rel)
	})
	return tr, err
}

// ignored folders hold nothing that was written here.
func ignored(dir string) bool {
	switch dir {
	case "testdata", "node_modules", "artifacts", "bin":
		return true
	}
	return strings.HasPrefix(dir, ".")
}

// nested says whether the folder belongs to a module inside this one.
func nested(root, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

func (tr *tree) add(rel string) error {
	src, err := os.ReadFile(filepath.Join(tr.root, rel))
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(tr.fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{
		name:   rel,
		test:   strings.HasSuffix(rel, "_test.go"),
		lines:  strings.Count(string(src), "\n"),
		syntax: syntax,
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		f.imports = append(f.imports, p)
	}
	dir := path.Dir(rel)
	if tr.pkgs[dir] == nil {
		tr.pkgs[dir] = &pkg{path: dir}
	}
	tr.pkgs[dir].files = append(tr.pkgs[dir].files, f)
	return nil
}

// sorted is the module's packages in the order of their paths.
func (tr *tree) sorted() []*pkg {
	var all []*pkg
	for _, p := range tr.pkgs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
	return all
}

// ours gives the path from the module's root of an import of this module.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// standard says whether an import path is of the standard library: its first
// element has no dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// matches compares a path with a pattern; "x/..." means x and all below it.
func matches(pattern, p string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == base || strings.HasPrefix(p, base+"/")
	}
	return p == pattern
}

func matchesAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, p) })
}
