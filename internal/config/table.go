package config

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Option is one row of the table: one thing that can be set, and its names.
type Option struct {
	Key    string // in the file, such as "cors.origins"
	Flag   string // without dashes, such as "cors-origins"
	Env    string // such as "SIOD_CORS_ORIGINS"
	Group  string // heading
	Doc    string
	Reload string   // "live" or "restart"
	Values []string // what is allowed, if that is a fixed list
	Max    int      // 0 is no bound
	Zero   string   // what 0 means; "" refuses 0
	Empty  string   // what an empty text or list means; "" refuses it

	kind  kind
	index []int // of the field in the struct
}

// Type is the kind of value that the option takes, as a user knows it.
func (o *Option) Type() string { return o.kind.name }

// Secret reports whether the value must not be shown.
func (o *Option) Secret() bool { return o.kind.name == "secret" }

// EnvPrefix begins the name of every variable.
const EnvPrefix = "SIOD_"

// table is the options of one struct type.
type table struct {
	options []*Option
	byKey   map[string]*Option
	byEnv   map[string]*Option
	byFlag  map[string]*Option
	section map[string]bool // keys that hold others
}

// theTable is the table of Config.
var theTable = sync.OnceValue(func() *table {
	t, err := newTable(reflect.TypeFor[Config]())
	if err != nil {
		panic(err) // a tag is wrong; TestTable finds it
	}
	return t
})

// Options lists every option, in the order of the documentation.
func Options() []*Option { return theTable().options }

// newTable walks a struct. It reports a field without a tag that it needs, and
// names that collide.
func newTable(t reflect.Type) (*table, error) {
	tab := &table{
		byKey: make(map[string]*Option), byEnv: make(map[string]*Option),
		byFlag: make(map[string]*Option), section: make(map[string]bool),
	}
	if err := tab.walk(t, "", "", nil); err != nil {
		return nil, err
	}
	return tab, nil
}

func (tab *table) walk(t reflect.Type, prefix, group string, index []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		name, group := f.Tag.Get("json"), first(f.Tag.Get("group"), group)
		if f.Type.Kind() == reflect.Struct {
			section := prefix
			if name != "" {
				section = prefix + name + "."
				tab.section[strings.TrimSuffix(section, ".")] = true
			}
			if err := tab.walk(f.Type, section, group, at); err != nil {
				return err
			}
			continue
		}
		k, ok := kindOf(f.Type)
		switch {
		case !ok:
			return fmt.Errorf("config: field %s: no option can be a %s", f.Name, f.Type)
		case name == "":
			return fmt.Errorf("config: field %s has no json tag", f.Name)
		}
		o := &Option{
			Key: prefix + name, Group: group, Doc: f.Tag.Get("doc"), Reload: f.Tag.Get("reload"),
			Zero: f.Tag.Get("zero"), Empty: f.Tag.Get("empty"), kind: k, index: at,
		}
		if v := f.Tag.Get("values"); v != "" {
			o.Values = strings.Split(v, ",")
		}
		if m := f.Tag.Get("max"); m != "" {
			if _, err := fmt.Sscan(m, &o.Max); err != nil {
				return fmt.Errorf("config: %s: max tag %q: %w", o.Key, m, err)
			}
		}
		if err := tab.add(o); err != nil {
			return err
		}
	}
	return nil
}

// add names an option and enters it.
func (tab *table) add(o *Option) error {
	o.Env = EnvPrefix + strings.ToUpper(strings.ReplaceAll(o.Key, ".", "_"))
	o.Flag = flagName(o.Key)
	if o.Secret() {
		o.Flag += "-file"
	}
	switch {
	case o.Doc == "" || o.Group == "":
		return fmt.Errorf("config: %s has no doc or no group", o.Key)
	case o.Reload != "live" && o.Reload != "restart":
		return fmt.Errorf("config: %s: reload tag %q is neither live nor restart", o.Key, o.Reload)
	}
	type name struct {
		text  string
		known map[string]*Option
	}
	names := []name{{o.Key, tab.byKey}, {o.Env, tab.byEnv}, {o.Flag, tab.byFlag}}
	if o.Secret() {
		names = append(names, name{o.Key + "_file", tab.byKey}, name{o.Env + "_FILE", tab.byEnv})
	}
	for _, n := range names {
		if other := n.known[n.text]; other != nil {
			return fmt.Errorf("config: %s and %s are both called %s", other.Key, o.Key, n.text)
		}
		n.known[n.text] = o
	}
	tab.options = append(tab.options, o)
	return nil
}

// flagName makes dashes of a key's dots and underscores. The part that says
// whether a section is used at all is left out: recovery.enabled is --recovery,
// cookie.name is --cookie.
func flagName(key string) string {
	for _, on := range []string{".enabled", ".name"} {
		key = strings.TrimSuffix(key, on)
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// get returns the option's value in a struct of the table's type.
func (o *Option) get(c reflect.Value) any { return c.FieldByIndex(o.index).Interface() }

// set changes it.
func (o *Option) set(c reflect.Value, v any) { c.FieldByIndex(o.index).Set(reflect.ValueOf(v)) }

// kind is a type of values.
type kind struct {
	name  string
	parse func(raw any) (any, error)
	// text is how a value is written in the file, the environment and flags.
	text func(v any) string
}

func kindOf(t reflect.Type) (kind, bool) {
	switch t {
	case reflect.TypeFor[bool]():
		return kind{"bool", parseBool, textOf}, true
	case reflect.TypeFor[int]():
		return kind{"integer", parseInt, textOf}, true
	case reflect.TypeFor[float64]():
		return kind{"number", parseFloat, textOf}, true
	case reflect.TypeFor[Size]():
		return kind{"size", parseSize, textOf}, true
	case reflect.TypeFor[time.Duration]():
		return kind{"duration", parseDuration, durationText}, true
	case reflect.TypeFor[string]():
		return kind{"text", parseText, textOf}, true
	case reflect.TypeFor[[]string]():
		return kind{"list", parseList, listText}, true
	case reflect.TypeFor[Secret]():
		return kind{"secret", parseSecret, textOf}, true
	}
	return kind{}, false
}
