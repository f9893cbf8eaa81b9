package archtest

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/compatibility.md names tests and Go identifiers in its tables, and says
// which rows of the list of features it covers. All of that exists.
func TestCompatibilityList(t *testing.T) {
	tr := source(t)
	text, err := os.ReadFile(filepath.Join(tr.root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	l := newListing(tr)
	l.check(string(text))
	for _, row := range featureRows() {
		if !l.rows[row] {
			l.complain("row %s of the list of features is in no table", row)
		}
	}
	if len(l.tests) < 100 || l.names < 150 {
		l.complain("only %d tests and %d names were found: has the form of the tables changed?", len(l.tests), l.names)
	}
	for _, c := range l.complaints {
		t.Error(c)
	}
}

// A check that cannot fail would let the list rot.
func TestCompatibilityCheckFails(t *testing.T) {
	tr := source(t)
	const head = "| # | there | here | difference | shown by |\n|---|---|---|---|---|\n"
	for row, want := range map[string]string{
		"| S1 | `old` | `ns.Emit(ctx, …)`, `srv.Of(ns).To(room).Emit` | `Config.AckTimeout` | node TestTargets |":   "",
		"| S1 | | `node.Handle` and `Transport.CORS`, `CORS.Origins`, `MaxRooms` | | node Example, ExampleHandle |": "",
		"| S1 | | nothing to call | | – |":                                        "",
		"| S1 | | `s.Emit` | | – |":                                               "no test",
		"| S1 | | `s.Emit` | | |":                                                 "no test",
		"| S1 | | `s.Emit` | | node TestNothing |":                                "no test TestNothing in node",
		"| S1 | | `s.Emit` | | nodes TestTargets |":                               "no test TestTargets in nodes",
		"| S1 | | `s.Emit` | | node TestTargets; transport TestTargets |":         "no test TestTargets in transport",
		"| S1 | | `s.Emitt(ctx)` | | node TestTargets |":                          "no Emitt of Socket",
		"| S1 | | `ns.To(room).Emitt(ctx)` | | node TestTargets |":                "no Emitt",
		"| S1 | | `node.Handel` | | node TestTargets |":                           "no Handel in node",
		"| S1 | | `Config.AckTimeouts` | | node TestTargets |":                    "no AckTimeouts of Config",
		"| S1 | | `Transport.Corse` | | node TestTargets |":                       "no Corse of Config",
		"| S1 | | | set `MaxRoms` | node TestTargets |":                           "no MaxRoms",
		"| S1 | | `q.Emit` | | node TestTargets |":                                "q is no name",
		"| T1 | | `s.Emit` | | node TestTargets |":                                "T1 is no row",
		"| S1 | | `s.Emit` | node TestTargets |":                                  "4 cells of 5",
		"| F41 | | `s.Emit` | | node TestTargets |":                               "F41 is no row",
		"| S1 | | `s.unexported`, `srv.Engine().Len()`, `ctx` | | node TestIDs |": "no unexported of Socket",
	} {
		l := newListing(tr)
		l.check(head + row + "\n")
		got := strings.Join(l.complaints, "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: complaints %q, want %q", row, got, want)
		}
	}
}

// featureRows are the rows that the list must name.
func featureRows() []string {
	rows := []string{"S10a"}
	for _, r := range []struct {
		letter   string
		from, to int
	}{{"S", 1, 67}, {"S", 80, 91}, {"S", 100, 107}, {"F", 1, 40}} {
		for n := r.from; n <= r.to; n++ {
			rows = append(rows, fmt.Sprint(r.letter, n))
		}
	}
	return rows
}

// variables are the names that the list's introduction gives to values.
var variables = map[string]string{"srv": "Server", "ns": "Namespace", "s": "Socket", "b": "Broadcast", "e": "Event"}

// listing is what a document says, checked against the source.
type listing struct {
	tr         *tree
	names      int             // identifiers that were looked up
	tests      map[string]bool // that were named, as package and function
	rows       map[string]bool
	members    map[string]map[string]map[string]bool // package, type or "", name
	complaints []string
}

func newListing(tr *tree) *listing {
	return &listing{
		tr: tr, tests: map[string]bool{}, rows: map[string]bool{},
		members: map[string]map[string]map[string]bool{},
	}
}

func (l *listing) complain(format string, args ...any) {
	l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
}

// ofOthers are the columns about other servers and about what there is not.
var ofOthers = []string{"there", "what", "without", "what will take its place"}

// check reads the tables; prose is checked for identifiers too.
func (l *listing) check(text string) {
	var header []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			header = nil
			for _, span := range code.FindAllString(line, -1) {
				if !strings.HasPrefix(span, "`socket.") { // of the old servers
					l.identifiers(span)
				}
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case header == nil:
			header = cells
		case strings.HasPrefix(line, "|---"):
		case len(cells) != len(header):
			l.complain("%s: %d cells of %d", line, len(cells), len(header))
		default:
			l.row(header, cells)
		}
	}
}

func (l *listing) row(header, cells []string) {
	calls := false
	for i, h := range header {
		switch {
		case h == "#":
			for id := range strings.FieldsSeq(cells[i]) {
				if id != "–" && !slices.Contains(featureRows(), id) {
					l.complain("%s is no row of the list of features", id)
				}
				l.rows[id] = true
			}
		case h == "shown by":
			l.shown(cells[i], calls)
		case !slices.Contains(ofOthers, h):
			calls = l.identifiers(cells[i]) || calls
		}
	}
}

var testName = regexp.MustCompile(`^(Test|Example|Fuzz)\w*$`)

// shown checks a cell such as "node TestA, TestB; transport TestC".
func (l *listing) shown(cell string, calls bool) {
	if cell == "–" && !calls {
		return // there is nothing to call
	}
	found := false
	for part := range strings.SplitSeq(cell, ";") {
		pkg, names, _ := strings.Cut(strings.TrimSpace(part), " ")
		for name := range strings.SplitSeq(names, ",") {
			name = strings.TrimSpace(name)
			found = found || testName.MatchString(name)
			l.tests[pkg+" "+name] = true
			if testName.MatchString(name) && !l.hasTest(pkg, name) {
				l.complain("there is no test %s in %s", name, pkg)
			}
		}
	}
	if !found {
		l.complain("%q names no test", cell)
	}
}

func (l *listing) hasTest(pkg, name string) bool {
	p := l.tr.pkgs[pkg]
	return p != nil && slices.ContainsFunc(p.files, func(f *file) bool {
		return f.test && slices.ContainsFunc(f.syntax.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && fn.Recv == nil && fn.Name.Name == name
		})
	})
}
