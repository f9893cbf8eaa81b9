package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// fields counts the settings of a struct, by its own walk.
func fields(t reflect.Type) int {
	n := 0
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Struct {
			n += fields(f.Type)
		} else {
			n++
		}
	}
	return n
}

// No option lacks a name, a description or a reload tag.
func TestTable(t *testing.T) {
	t.Parallel()
	tab, err := newTable(reflect.TypeFor[Config]())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(tab.options), fields(reflect.TypeFor[Config]()); got != want {
		t.Errorf("the table has %d options, the struct %d fields", got, want)
	}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	NewReader(fs, Default())
	groups := map[string]string{} // last option of each
	last := ""
	for _, o := range tab.options {
		t.Run(o.Key, func(t *testing.T) {
			f := fs.Lookup(o.Flag)
			if f == nil {
				t.Fatalf("no flag --%s", o.Flag)
			}
			if f.Usage == "" || !strings.HasPrefix(o.Doc, strings.ToUpper(o.Doc[:1])) || !strings.HasSuffix(o.Doc, ".") {
				t.Errorf("doc %q is not a sentence", o.Doc)
			}
			if strings.ToLower(o.Key) != o.Key || strings.Contains(o.Key, "-") {
				t.Errorf("key %q is not in lower case with underscores", o.Key)
			}
			if want := "SIOD_" + strings.ReplaceAll(strings.ToUpper(o.Key), ".", "_"); o.Env != want {
				t.Errorf("variable %s, want %s", o.Env, want)
			}
			if o.Reload != "live" && o.Reload != "restart" {
				t.Errorf("reload %q", o.Reload)
			}
			if strings.Count(o.Key, ".") > 1 {
				t.Errorf("key %q: the printed file has one level of sections", o.Key)
			}
			if o.Group != last && groups[o.Group] != "" {
				t.Errorf("group %q is in two places", o.Group)
			}
			groups[o.Group], last = o.Key, o.Group
			if serviceLink(o.Env, "value") {
				t.Errorf("%s looks like a variable of Kubernetes and would be passed over", o.Env)
			}
		})
	}
}

// Defaults pass the checks that operators' values do.
func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{"Default": Default(), "Dev": Dev()} {
		v := reflect.ValueOf(c)
		for _, o := range Options() {
			if err := o.check(o.get(v)); err != nil {
				t.Errorf("%s: %s %v", name, o.Key, err)
			}
		}
		l := &Loaded{Config: c}
		var e Error
		if l.check(&c, &e); e.orNil() != nil {
			t.Errorf("%s: %v", name, e.Problems)
		}
	}
}

// A mistake in a tag, and names that collide, fail when the table is made.
func TestTableRefuses(t *testing.T) {
	t.Parallel()
	type ping struct {
		Interval int `json:"interval" doc:"A." reload:"live"`
	}
	for want, s := range map[string]any{
		"has no json tag": struct {
			A int `group:"g" doc:"A." reload:"live"`
		}{},
		"no option can be a uint8": struct {
			A uint8 `json:"a" group:"g" doc:"A." reload:"live"`
		}{},
		"a has no doc or no group": struct {
			A int `json:"a" group:"g" reload:"live"`
		}{},
		"b has no doc or no group": struct {
			B int `json:"b" doc:"B." reload:"live"`
		}{},
		`reload tag "sometimes" is neither live nor restart`: struct {
			A int `json:"a" group:"g" doc:"A." reload:"sometimes"`
		}{},
		`max tag "many"`: struct {
			A int `json:"a" group:"g" doc:"A." reload:"live" max:"many"`
		}{},
		"are both called": struct {
			Ping  ping `json:"ping" group:"g"`
			Other int  `json:"ping_interval" group:"g" doc:"A." reload:"live"`
		}{},
		"token and token_file are both called": struct {
			Token Secret `json:"token" group:"g" doc:"A." reload:"live"`
			File  string `json:"token_file" group:"g" doc:"A." reload:"live"`
		}{},
	} {
		_, err := newTable(reflect.TypeOf(s))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
