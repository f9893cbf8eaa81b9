package readme

import (
	"regexp"
	"strings"
	"unicode"
)

// document is what of a Markdown file can be wrong.
type document struct {
	name    string
	blocks  []block
	spans   []mention // in backquotes
	links   []mention // targets
	anchors map[string]bool
}

// block is code that stands on lines of its own.
type block struct {
	line     int
	language string // of a fence; "" for indented ones
	code     string
}

type mention struct {
	line int
	text string
}

var (
	spanOf    = regexp.MustCompile("`([^`]+)`")
	linkOf    = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	referTo   = regexp.MustCompile(`^\[[^\]]+\]:\s+(\S+)`)
	headingOf = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
)

// parse reads as much of Markdown as the documents use.
func parse(name, text string) *document {
	d := &document{name: name, anchors: make(map[string]bool)}
	var fence string
	blank := true
	var open *block
	for i, line := range strings.Split(text, "\n") {
		n := i + 1
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence, open = "", nil
				continue
			}
			open.code += line + "\n"
			continue
		case strings.HasPrefix(trimmed, "```"):
			fence = "```"
			d.blocks = append(d.blocks, block{line: n, language: strings.TrimLeft(trimmed, "`")})
			open = &d.blocks[len(d.blocks)-1]
			blank = false
			continue
		case strings.HasPrefix(line, "    ") && (blank || open != nil):
			if open == nil {
				d.blocks = append(d.blocks, block{line: n})
				open = &d.blocks[len(d.blocks)-1]
			}
			open.code += line[4:] + "\n"
			continue
		}
		open = nil
		blank = trimmed == ""
		if m := headingOf.FindStringSubmatch(line); m != nil {
			d.anchor(m[1])
		}
		// What stands in backquotes is no link.
		for _, m := range spanOf.FindAllStringSubmatch(line, -1) {
			d.spans = append(d.spans, mention{n, m[1]})
		}
		prose := spanOf.ReplaceAllString(line, "code")
		for _, m := range linkOf.FindAllStringSubmatch(prose, -1) {
			d.links = append(d.links, mention{n, m[1]})
		}
		if m := referTo.FindStringSubmatch(prose); m != nil {
			d.links = append(d.links, mention{n, m[1]})
		}
	}
	return d
}

// anchor adds a heading's anchor as GitHub makes it: lower case, spaces as
// dashes, other signs left out, the second of a kind numbered.
func (d *document) anchor(heading string) {
	heading = linkText.ReplaceAllString(heading, "$1")
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		}
	}
	name := b.String()
	for i := 1; d.anchors[name]; i++ {
		name = b.String() + "-" + string(rune('0'+i))
	}
	d.anchors[name] = true
}

var linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
