package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// heldBy matches a package and the tests of it that a cell names.
	heldBy = regexp.MustCompile("`([a-z/]+)` ((?:(?:Test|[A-Z])[A-Za-z]+(?:/[a-z]+)?(?:: )?(?:, )?)+)")

	// caseName matches one case of the suite for backplanes.
	caseName = regexp.MustCompile(`\{"([A-Za-z]+)", `)
)

// docs/failures.md says which test holds each row. All of them exist.
func TestFailureList(t *testing.T) {
	tr := source(t)
	text, err := os.ReadFile(filepath.Join(tr.root, "docs", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, complaints := checkFailures(t, tr, string(text))
	for _, c := range complaints {
		t.Error(c)
	}
	if rows < 20 {
		t.Errorf("only %d rows were found: has the form of the tables changed?", rows)
	}
}

func TestFailureCheckFails(t *testing.T) {
	tr := source(t)
	for row, want := range map[string]string{
		"| a | b | `node` TestFencedServer |":                        "",
		"| a | b | `backplanetest` LogFault: HeldAppendWaits |":      "",
		"| a | b | `node` TestNothing |":                             "no test TestNothing in node",
		"| a | b | `nodes` TestFencedServer |":                       "no test TestFencedServer in nodes",
		"| a | b | `backplanetest` LogFault: HeldAppendWaits, Not |": "no case Not",
		"| a | b | somewhere |":                                      "no test is named",
	} {
		_, complaints := checkFailures(t, tr, row+"\n")
		if got := strings.Join(complaints, "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
}

func checkFailures(t *testing.T, tr *tree, text string) (rows int, complaints []string) {
	t.Helper()
	l := newListing(tr)
	cases := suiteCases(t, tr)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.Contains(line, "held by") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		found := heldBy.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(found) == 0 {
			complaints = append(complaints, "no test is named in "+line)
		}
		for _, f := range found {
			pkg, names := f[1], f[2]
			_, group, isCase := strings.Cut(names, ": ")
			if pkg == "backplanetest" && isCase {
				names = group
			}
			for name := range strings.SplitSeq(names, ", ") {
				name, _, _ = strings.Cut(strings.TrimSpace(name), "/")
				switch {
				case name == "":
				case pkg == "backplanetest":
					if !cases[name] {
						complaints = append(complaints, "there is no case "+name+" in backplanetest")
					}
				case !l.hasTest(pkg, name):
					complaints = append(complaints, "there is no test "+name+" in "+pkg)
				}
			}
		}
	}
	return rows, complaints
}

// suiteCases are the names of the cases that every backplane passes.
func suiteCases(t *testing.T, tr *tree) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tr.root, "backplane", "backplanetest", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]bool{}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range caseName.FindAllStringSubmatch(string(src), -1) {
			cases[m[1]] = true
		}
	}
	return cases
}
