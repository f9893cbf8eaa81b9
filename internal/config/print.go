package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// YAML writes the configuration as a file that reads back as the same one.
// What is not a default says where it comes from; secrets are hidden.
func (l *Loaded) YAML() string {
	var b strings.Builder
	group, section := "", ""
	c := reflect.ValueOf(l.Config)
	for _, o := range Options() {
		if o.Group != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = o.Group
			fmt.Fprintf(&b, "# %s\n", group)
		}
		name, indent := o.Key, ""
		if s, rest, ok := strings.Cut(o.Key, "."); ok {
			if s != section {
				fmt.Fprintf(&b, "%s:\n", s)
			}
			section, name, indent = s, rest, "  "
		}
		if o.Secret() {
			// As a comment: the text would be taken for the secret.
			indent = "# " + indent
		}
		fmt.Fprintf(&b, "%s%s: %s", indent, name, yamlText(o, o.get(c)))
		if w := l.Where(o.Key); w != "" {
			fmt.Fprintf(&b, "  # from %s", w)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// yamlText writes a value; texts are quoted as in JSON, which is YAML too.
func yamlText(o *Option, v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case Secret:
		return strconv.Quote(v.String())
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return o.kind.text(v)
}

// Env writes the configuration as variables, one a line, for a shell or a
// unit's EnvironmentFile. Secrets are left out but named.
func (l *Loaded) Env() string {
	var b strings.Builder
	group := ""
	c := reflect.ValueOf(l.Config)
	for _, o := range Options() {
		if o.Group != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = o.Group
			fmt.Fprintf(&b, "# %s\n", group)
		}
		if o.Secret() {
			fmt.Fprintf(&b, "# %s, or %s_FILE with the name of a file\n", o.Env, o.Env)
			continue
		}
		fmt.Fprintf(&b, "%s=%s\n", o.Env, shellText(o.kind.text(o.get(c))))
	}
	return b.String()
}

// shellText quotes what a shell would take apart.
func shellText(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r))
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Markdown is docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(preamble)
	group := ""
	def := reflect.ValueOf(Default())
	for _, o := range Options() {
		if o.Group != group {
			group = o.Group
			fmt.Fprintf(&b, "\n## %s\n\n| key | flag, variable | type | default | |\n|---|---|---|---|---|\n", group)
		}
		flag, env := "`--"+o.Flag+"`", "`"+o.Env+"`"
		if o.Secret() {
			env += ", `" + o.Env + "_FILE`"
		}
		value := o.kind.text(o.get(def))
		if value != "" {
			value = "`" + value + "`"
		}
		usage := o.Usage()
		if o.Reload == "live" {
			usage += " *Live.*"
		}
		fmt.Fprintf(&b, "| `%s` | %s %s | %s | %s | %s |\n", o.Key, flag, env, o.Type(), value, strings.ReplaceAll(usage, "|", `\|`))
	}
	return b.String()
}

const preamble = `# Configuration

This page is made from the table in the program: ` + "`siod config doc`" + ` prints it.

Every setting is a key of the YAML file, an environment variable and a flag, all three with the same meaning. The file
is named by ` + "`--config FILE` or `SIOD_CONFIG`" + `. A flag wins over a variable, a variable over the file, the file over the default.

- The variable of a key is ` + "`SIOD_`" + ` and the key in capitals, dots written as underscores: ` + "`cors.origins` is `SIOD_CORS_ORIGINS`" + `.
- The flag is the key with dashes: ` + "`--cors-origins`" + `. The word that turns a section on is left out: ` + "`recovery.enabled` is `--recovery`, `cookie.name` is `--cookie`" + `.
- A dot is a level of the file:

      cors:
        origins: [https://app.example.com]

- Durations are written ` + "`300ms`, `25s`, `2m`" + `; sizes ` + "`4096`, `64KiB`, `1MB`" + `; lists ` + "`[a, b]` in the file and `a,b`" + ` elsewhere, where a flag may
  also be given several times; bools ` + "`true` and `false`" + `. Turn a flag off with ` + "`--eio3=false`" + `.
- A key, variable or flag that does not exist is an error with a suggestion, and so is a value that does not fit. Variables that
  Kubernetes sets for a Service called siod are passed over.
- A secret is never a flag. It stands in the file, in its variable, or in a file of its own that the key with ` + "`_file`" + `, the variable
  with ` + "`_FILE`" + ` or the flag names. It is never printed.
- Settings marked *live* are taken over by a running server when it gets SIGHUP, which reads the file again; the others need a restart, and
  SIGHUP says which.

` + "`siod config check`" + ` says what is wrong, all of it; ` + "`siod config print`" + ` shows what is in effect and where it comes from, as a file that can be
read back; ` + "`siod config env`" + ` does it as variables. They take the flags of ` + "`siod serve`" + `.

Go's own variables hold too: ` + "`GOMEMLIMIT`" + ` bounds the memory that is used before garbage is collected, and ` + "`GOGC`" + ` replaces the server's own rule, which is
not to collect before the heap has 32 MiB or has doubled.
`
