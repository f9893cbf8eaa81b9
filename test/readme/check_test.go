package readme

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkout is what documents may point at.
type checkout struct {
	root    string
	top     map[string]bool // names in the root
	files   map[string]bool // and directories, from the root
	targets map[string]bool // of the Makefile
	flags   map[string]bool // of siod, without dashes
	tests   []string        // names of tests, benchmarks and fuzz targets
}

var (
	targetOf = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	flagOf   = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)
	testOf   = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w*)\(`)
)

// survey reads a checkout. files are those that belong to it; help is what siod
// prints for --help.
func survey(root string, files []string, help string) (*checkout, error) {
	c := &checkout{root: root, top: make(map[string]bool), files: map[string]bool{".": true}, targets: make(map[string]bool), flags: make(map[string]bool)}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(name, "/")
		c.top[first] = true
		for dir := name; dir != "."; dir = path.Dir(dir) {
			c.files[dir] = true
		}
		switch {
		case name == "Makefile":
			for _, m := range targetOf.FindAllStringSubmatch(string(text), -1) {
				c.targets[m[1]] = true
			}
		case strings.HasSuffix(name, "_test.go"):
			for _, m := range testOf.FindAllStringSubmatch(string(text), -1) {
				c.tests = append(c.tests, m[1])
			}
		}
	}
	for _, m := range flagOf.FindAllStringSubmatch(help, -1) {
		c.flags[m[1]] = true
	}
	return c, nil
}

// check looks through a document of the checkout, and says what is wrong.
func (c *checkout) check(d *document) (wrong []string) {
	bad := func(line int, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s:%d: ", d.name, line)+fmt.Sprintf(format, args...))
	}
	for _, l := range d.links {
		if err := c.link(d, l.text); err != nil {
			bad(l.line, "%v", err)
		}
	}
	for _, s := range d.spans {
		if err := c.span(d, s.text); err != nil {
			bad(s.line, "%v", err)
		}
	}
	for _, b := range d.blocks {
		for i, line := range strings.Split(strings.TrimRight(b.code, "\n"), "\n") {
			if !b.shell() || strings.TrimSpace(line) == "" {
				continue
			}
			n := b.line + i
			if b.language != "" {
				n++ // below the fence
			}
			if err := c.command(d, line); err != nil {
				bad(n, "%v", err)
			}
		}
	}
	return wrong
}

// shell reports whether a block holds commands. Indented ones do if the first
// line begins like one.
func (b block) shell() bool {
	switch b.language {
	case "sh", "bash", "shell", "console":
		return true
	case "":
		return isCommand(b.code)
	}
	return false
}

var programs = []string{"go", "make", "sh", "siod", "npm", "cd"}

func isCommand(text string) bool {
	words := strings.Fields(text)
	return len(words) > 0 && (slices.Contains(programs, words[0]) || strings.HasSuffix(words[0], ".sh"))
}

// link checks the target of a link.
func (c *checkout) link(d *document, target string) error {
	if strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "mailto:") {
		return nil // not ours to keep alive
	}
	name, anchor, _ := strings.Cut(target, "#")
	at := d
	if name != "" {
		file := path.Join(path.Dir(d.name), name)
		if !c.files[file] {
			return fmt.Errorf("link to %s: there is no %s", target, file)
		}
		if anchor == "" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(c.root, file))
		if err != nil {
			return fmt.Errorf("link to %s: %w", target, err)
		}
		at = parse(file, string(text))
	}
	if !at.anchors[anchor] {
		return fmt.Errorf("link to %s: %s has no such heading", target, at.name)
	}
	return nil
}

var pathLike = regexp.MustCompile(`^[\w.-]+(/[\w.…-]*)*$`)

// span checks what stands in backquotes: a command, a path, or flags of siod.
func (c *checkout) span(d *document, text string) error {
	switch {
	case isCommand(text) && strings.Contains(text, " "):
		return c.command(d, text)
	case strings.HasPrefix(text, "--") && d.aboutAll():
		for _, m := range flagOf.FindAllStringSubmatch(text, -1) {
			if !c.flags[m[1]] {
				return fmt.Errorf("siod has no flag --%s", m[1])
			}
		}
	case pathLike.MatchString(text):
		first, _, inside := strings.Cut(text, "/")
		if !(c.top[first] && inside) && !(strings.HasSuffix(text, ".md") && d.aboutAll()) {
			return nil // a word, or a path of something else
		}
		name := path.Clean(strings.TrimSuffix(strings.TrimSuffix(text, "..."), "…"))
		if !c.has(d, name) {
			return fmt.Errorf("there is no %s", text)
		}
	}
	return nil
}

// aboutAll reports whether a document speaks of the whole repository. Others
// have flags and files of their own programs.
func (d *document) aboutAll() bool {
	return !strings.Contains(d.name, "/") || strings.HasPrefix(d.name, "docs/")
}

// has looks for a file from the root, and beside the document.
func (c *checkout) has(d *document, name string) bool {
	return c.files[path.Clean(name)] || c.files[path.Join(path.Dir(d.name), name)]
}

// command checks one line for a shell: that what it names is there.
func (c *checkout) command(d *document, line string) error {
	words := shellWords(line)
	if len(words) == 0 {
		return nil // a comment
	}
	switch words[0] {
	case "make":
		for _, w := range words[1:] {
			if !strings.Contains(w, "=") && !c.targets[w] {
				return fmt.Errorf("%s: the Makefile has no target %s", line, w)
			}
		}
	case "go":
		return c.goCommand(line, words)
	case "siod":
		for _, m := range flagOf.FindAllStringSubmatch(line, -1) {
			if !c.flags[m[1]] {
				return fmt.Errorf("%s: siod has no flag --%s", line, m[1])
			}
		}
	case "npm":
	case "sh", "cd":
		if len(words) < 2 || !c.has(d, words[1]) {
			return fmt.Errorf("%s: no such file", line)
		}
	default:
		name := words[0]
		if !c.files[path.Clean(name)] {
			name = path.Join(path.Dir(d.name), name)
		}
		info, err := os.Stat(filepath.Join(c.root, name))
		if !c.files[path.Clean(name)] || err != nil {
			return fmt.Errorf("%s: there is no %s", line, words[0])
		}
		if info.Mode()&0o111 == 0 {
			return fmt.Errorf("%s: %s cannot be executed", line, words[0])
		}
	}
	return nil
}

// goCommand checks packages, and that -run and -bench choose something.
func (c *checkout) goCommand(line string, words []string) error {
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "./"):
			if dir := path.Clean(strings.TrimSuffix(w, "...")); !c.files[dir] {
				return fmt.Errorf("%s: there is no package %s", line, w)
			}
		case (w == "-run" || w == "-bench" || w == "-fuzz") && i+1 < len(words) && words[i+1] != "^$":
			re, err := regexp.Compile(words[i+1])
			if err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			if !slices.ContainsFunc(c.tests, re.MatchString) {
				return fmt.Errorf("%s: no test is called %s", line, words[i+1])
			}
		}
	}
	return nil
}

// shellWords splits a command line as a shell does, as far as the documents
// need: quotes of one kind, and comments.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quoted, any := false, false
	flush := func() {
		if any {
			words = append(words, word.String())
		}
		word.Reset()
		any = false
	}
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, any = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == ' ' || r == '\t':
			flush()
		case r == '#' && !any:
			return words
		default:
			any = true
			word.WriteRune(r)
		}
	}
	flush()
	return words
}
