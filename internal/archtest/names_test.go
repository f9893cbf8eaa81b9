package archtest

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

var (
	code  = regexp.MustCompile("`[^`]*`")
	quote = regexp.MustCompile(`"[^"]*"|\[[A-Z]\]`) // texts, and parameters of types
	// A name with what is selected of it, or what is selected of a result.
	chain = regexp.MustCompile(`[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*|\)\.[\pL_][\pL\pN_]*`)
)

// identifiers looks up what stands in code quotes, and reports whether there
// was a call or a setting.
func (l *listing) identifiers(text string) (any bool) {
	for _, span := range code.FindAllString(text, -1) {
		span = quote.ReplaceAllString(strings.Trim(span, "`"), "")
		if strings.ContainsAny(span, "/-{<*") {
			continue // a path, a flag, a text: nothing of Go
		}
		for _, name := range chain.FindAllString(span, -1) {
			any = l.identifier(name) || any
		}
	}
	return any
}

// identifier looks up "ns.Emit", "node.Handle", "Config.Codec", "MaxRooms" or
// ").Emit". Other names in lower case are arguments or words.
func (l *listing) identifier(name string) bool {
	parts := strings.Split(name, ".")
	head, rest := parts[0], parts[1:]
	if len(rest) == 0 && !ast.IsExported(head) {
		return false
	}
	l.names++
	switch typ, isVariable := variables[head]; {
	case head == ")":
		if !l.anywhere(rest[0]) {
			l.complain("there is no %s in node or transport", rest[0])
		}
	case isVariable:
		l.member("node", typ, rest)
	case head == "http" || head == "context":
	case head == "Transport" && len(rest) > 0:
		l.member("transport", "Config", rest)
	case ast.IsExported(head) && len(rest) > 0:
		pkgs := []string{"node", "transport", "protocol"}
		i := slices.IndexFunc(pkgs, func(pkg string) bool { return l.of(pkg)[head] != nil })
		l.member(pkgs[max(i, 0)], head, rest)
	case ast.IsExported(head):
		if !l.anywhere(head) {
			l.complain("there is no %s in node or transport", head)
		}
	default:
		l.inPackage(head, rest)
	}
	return true
}

// inPackage looks up "node.Handle", or "node.Config.Codec".
func (l *listing) inPackage(pkg string, rest []string) {
	for _, path := range []string{pkg, "backplane/" + pkg} {
		if l.tr.pkgs[path] == nil {
			continue
		}
		if !l.of(path)[""][rest[0]] || !ast.IsExported(rest[0]) {
			l.complain("there is no %s in %s", rest[0], path)
		}
		if len(rest) > 1 {
			l.member(path, rest[0], rest[1:])
		}
		return
	}
	l.complain("%s is no name that the introduction explains, and no package", pkg)
}

// member looks up a field or method; what is selected of that is looked up
// anywhere.
func (l *listing) member(pkg, typ string, rest []string) {
	if !l.of(pkg)[typ][rest[0]] || !ast.IsExported(rest[0]) {
		l.complain("there is no %s of %s in %s", rest[0], typ, pkg)
	}
	for _, name := range rest[1:] {
		if !l.anywhere(name) {
			l.complain("there is no %s in node or transport", name)
		}
	}
}

// anywhere says whether node or transport exports a name, at the top or of a
// type.
func (l *listing) anywhere(name string) bool {
	for _, pkg := range []string{"node", "transport"} {
		for typ, names := range l.of(pkg) {
			if names[name] && ast.IsExported(name) && (typ == "" || ast.IsExported(typ)) {
				return true
			}
		}
	}
	return false
}

// of gives the names of a package, at the top and by type.
func (l *listing) of(path string) map[string]map[string]bool {
	if m := l.members[path]; m != nil {
		return m
	}
	m := map[string]map[string]bool{}
	l.members[path] = m
	add := func(typ, name string) {
		if m[typ] == nil {
			m[typ] = map[string]bool{}
		}
		m[typ][name] = true
	}
	for _, f := range l.tr.pkgs[path].files {
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				add(receiver(d), d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					addSpec(spec, add)
				}
			}
		}
	}
	return m
}

func addSpec(spec ast.Spec, add func(typ, name string)) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			add("", n.Name)
		}
	case *ast.TypeSpec:
		add("", spec.Name.Name)
		var list *ast.FieldList
		switch t := spec.Type.(type) {
		case *ast.StructType:
			list = t.Fields
		case *ast.InterfaceType:
			list = t.Methods
		default:
			return
		}
		for _, field := range list.List {
			for _, n := range field.Names {
				add(spec.Name.Name, n.Name)
			}
		}
	}
}

// receiver is the name of a method's type, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name
}
