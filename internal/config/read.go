package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// FileEnv names the configuration file where --config does not.
const FileEnv = EnvPrefix + "CONFIG"

// Reader reads the configuration of one command: defaults, then the file, then
// the environment, then flags, each over the one before. It is not for
// concurrent use.
type Reader struct {
	table    *table
	defaults Config
	flags    *pflag.FlagSet
	file     string
}

// NewReader adds --config and the flag of every option to flags. defaults are what
// the command begins with, valid themselves.
func NewReader(flags *pflag.FlagSet, defaults Config) *Reader {
	r := &Reader{table: theTable(), defaults: defaults, flags: flags}
	flags.SortFlags = false
	flags.StringVar(&r.file, "config", "", "YAML `file` with any of these settings; "+FileEnv+" names it as well.")
	r.table.addFlags(flags, defaults)
	return r
}

// Loaded is a configuration and where each of its values comes from.
type Loaded struct {
	Config
	File  string            // that was read, or ""
	where map[string]string // by key, of what is not a default
}

// Where says where an option was set, as its operator spelled it, or "" if it
// has its default.
func (l *Loaded) Where(key string) string { return l.where[key] }

// layer is what one source says.
type layer struct {
	values map[string]any    // by key, parsed
	where  map[string]string // by key, the spelling of the source
}

func newLayer() layer { return layer{make(map[string]any), make(map[string]string)} }

// Read reads all layers; environ is as of os.Environ. An error is an *Error
// that names everything that is wrong.
func (r *Reader) Read(environ []string) (*Loaded, error) {
	var e Error
	file := r.file
	if file == "" {
		file = lookup(environ, FileEnv)
	}
	layers := []layer{r.readFile(file, &e), r.readEnv(environ, &e), r.readFlags(&e)}

	merged := koanf.New(".")
	where := make(map[string]string)
	for _, l := range layers {
		// Keys are known and values parsed, so merging cannot fail.
		_ = merged.Load(confmap.Provider(l.values, "."), nil)
		maps.Copy(where, l.where)
	}
	l := &Loaded{Config: r.defaults, File: file, where: where}
	if merged.Bool("compat.seed") {
		l.seed()
	}
	c := reflect.ValueOf(&l.Config).Elem()
	for _, o := range r.table.options {
		if merged.Exists(o.Key) {
			o.set(c, merged.Get(o.Key))
		}
	}
	if len(e.Problems) == 0 {
		l.check(&r.defaults, &e)
	}
	return l, e.orNil()
}

func lookup(environ []string, name string) string {
	for _, kv := range environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}

// put parses one value of a layer.
func (l *layer) put(o *Option, where string, raw any, e *Error) {
	v, err := o.parse(raw)
	switch {
	case err != nil && o.Secret():
		e.add(where, "the secret %v", err)
	case err != nil:
		e.add(where, "%s %v", quote(raw), err)
	default:
		l.values[o.Key], l.where[o.Key] = v, where
	}
}

// putSecretFile reads a secret from the file that a layer names.
func (l *layer) putSecretFile(o *Option, where string, raw any, e *Error) {
	if l.where[o.Key] != "" {
		e.add(where, "%s sets the same secret: leave one of them", l.where[o.Key])
		return
	}
	name, err := parseText(raw)
	if err != nil {
		e.add(where, "%s %v", quote(raw), err)
		return
	}
	b, err := os.ReadFile(name.(string))
	if err != nil {
		e.add(where, "cannot read %s: %v", name, reason(err))
		return
	}
	l.put(o, where, strings.TrimRight(string(b), "\r\n"), e)
}

func (r *Reader) readFile(name string, e *Error) layer {
	l := newLayer()
	if name == "" {
		return l
	}
	b, err := os.ReadFile(name)
	if err != nil {
		e.add(name, "cannot read the configuration: %v", reason(err))
		return l
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(b), yaml.Parser()); err != nil {
		e.add(name, "is not YAML with keys and values: %v", err)
		return l
	}
	all := k.All()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		where, raw := name+": "+key, all[key]
		o := r.table.byKey[key]
		switch {
		case o == nil && r.table.section[key] && isEmpty(raw):
		case o == nil && r.table.section[key]:
			e.add(where, "is a section: indent its keys below it")
		case o == nil:
			e.add(where, "unknown key%s", r.meantKey(key))
		case raw == nil:
			e.add(where, `has no value: write "" for an empty one, or leave the key out`)
		case key == o.Key+"_file":
			l.putSecretFile(o, where, raw, e)
		default:
			l.put(o, where, raw, e)
		}
	}
	return l
}

// reason is a file system's error without the name of the file.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func isEmpty(raw any) bool {
	m, ok := raw.(map[string]any)
	return raw == nil || ok && len(m) == 0
}

func (r *Reader) meantKey(key string) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, name := range []string{key, last} {
		if k := elsewhere[plain(name)]; k != "" {
			return `: did you mean "` + k + `"?`
		}
	}
	if s := DidYouMean(key, slices.Sorted(maps.Keys(r.table.byKey))); s != "" {
		return s
	}
	return ": siod config doc lists them"
}

func (r *Reader) readEnv(environ []string, e *Error) layer {
	l := newLayer()
	k := koanf.New("\x00") // names hold no such byte, so none is split
	_ = k.Load(env.Provider("", env.Opt{Prefix: EnvPrefix, EnvironFunc: func() []string { return environ }}), nil)
	all := k.All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o, raw := r.table.byEnv[name], all[name].(string)
		switch {
		case name == FileEnv || o == nil && serviceLink(name, raw):
		case o == nil:
			e.add(name, "unknown variable%s", r.meantEnv(name))
		case name == o.Env+"_FILE":
			l.putSecretFile(o, name, raw, e)
		default:
			l.put(o, name, raw, e)
		}
	}
	return l
}

func (r *Reader) meantEnv(name string) string {
	if o := r.table.byKey[elsewhere[plain(strings.TrimPrefix(name, EnvPrefix))]]; o != nil {
		return `: did you mean "` + o.Env + `"?`
	}
	if s := DidYouMean(name, slices.Sorted(maps.Keys(r.table.byEnv))); s != "" {
		return s
	}
	return ": siod config env lists them"
}

// serviceLink reports whether a variable is one of those that Kubernetes sets
// for every Service of the namespace, one called siod among them.
func serviceLink(name, value string) bool {
	if strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") {
		return true
	}
	if _, after, ok := strings.Cut(name, "_PORT_"); ok && after != "" && after[0] >= '0' && after[0] <= '9' {
		return true
	}
	return strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

func (r *Reader) readFlags(e *Error) layer {
	l := newLayer()
	k := koanf.New(".")
	_ = k.Load(posflag.ProviderWithFlag(r.flags, ".", nil, func(f *pflag.Flag) (string, any) {
		v, ok := f.Value.(*flagValue)
		if !ok || !f.Changed {
			return "", nil
		}
		return v.o.Key, v.raw
	}), nil)
	for _, o := range r.table.options {
		if !k.Exists(o.Key) {
			continue
		}
		if raw := k.String(o.Key); o.Secret() {
			l.putSecretFile(o, "--"+o.Flag, raw, e)
		} else {
			l.put(o, "--"+o.Flag, raw, e)
		}
	}
	return l
}
