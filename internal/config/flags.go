package config

import (
	"errors"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// flagValue is an option's flag. It keeps the text; Reader.Read parses it with
// the other layers, so that a wrong value is reported alike wherever it stands.
type flagValue struct {
	o   *Option
	raw string
	def string
}

// String implements pflag.Value.
func (f *flagValue) String() string {
	if f.raw != "" {
		return f.raw
	}
	return f.def
}

// Set implements pflag.Value. A list may be given in several flags.
func (f *flagValue) Set(s string) error {
	if f.raw != "" && f.o.kind.name == "list" {
		s = f.raw + "," + s
	}
	f.raw = s
	return nil
}

// Type implements pflag.Value.
func (f *flagValue) Type() string {
	if f.o.Secret() {
		return "file"
	}
	return f.o.kind.name
}

// addFlags defines a flag for every option.
func (tab *table) addFlags(fs *pflag.FlagSet, defaults any) map[string]*flagValue {
	values := make(map[string]*flagValue, len(tab.options))
	c := reflect.ValueOf(defaults)
	for _, o := range tab.options {
		v := &flagValue{o: o}
		usage := o.Usage()
		if o.Secret() {
			usage += " The flag names a file that holds it."
		} else {
			if value := o.get(c); !reflect.ValueOf(value).IsZero() {
				v.def = o.kind.text(value)
			}
		}
		f := fs.VarPF(v, o.Flag, "", usage)
		if o.kind.name == "bool" {
			f.NoOptDefVal = "true"
		}
		values[o.Flag] = v
	}
	return values
}

// Usage is the option's documentation with what 0 or nothing means.
func (o *Option) Usage() string {
	s := o.Doc
	if o.Values != nil {
		s += " One of " + strings.Join(o.Values, ", ") + "."
		if o.kind.name == "list" {
			s = o.Doc + " Any of " + strings.Join(o.Values, ", ") + "."
		}
	}
	if o.Zero != "" {
		s += " 0: " + o.Zero + "."
	}
	if o.Empty != "" {
		s += " Empty: " + o.Empty + "."
	}
	return s
}

// Usage describes the options' flags under their headings, cols wide.
func (r *Reader) Usage(cols int) string {
	var b strings.Builder
	group := ""
	var fs *pflag.FlagSet
	flush := func() {
		if fs != nil {
			b.WriteString("\n" + group + ":\n" + fs.FlagUsagesWrapped(cols))
		}
	}
	for _, o := range r.table.options {
		if o.Group != group {
			flush()
			group, fs = o.Group, pflag.NewFlagSet("", pflag.ContinueOnError)
			fs.SortFlags = false
		}
		fs.AddFlag(r.flags.Lookup(o.Flag))
	}
	flush()
	return b.String()
}

// Parse reads the command line. It returns pflag.ErrHelp if help was asked
// for, and an *Error that names the flag if one is wrong.
func (r *Reader) Parse(args []string) error {
	err := r.flags.Parse(args)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var (
		e       Error
		unknown *pflag.NotExistError
		value   *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		e.add("-"+unknown.GetSpecifiedShortnames(), "unknown flag: long flags begin with two dashes, --help lists them")
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		e.add("--"+name, "unknown flag%s", r.meantFlag(name))
	case errors.As(err, &value):
		e.add("--"+value.GetFlag().Name, "needs a value: %s", value.GetFlag().Usage)
	default:
		e.add("command line", "%v: --help lists the flags", err)
	}
	return e.orNil()
}

// meantFlag suggests a flag for an unknown name.
func (r *Reader) meantFlag(name string) string {
	var names []string
	r.flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if o := r.table.byKey[elsewhere[plain(name)]]; o != nil {
		return `: did you mean "--` + o.Flag + `"?`
	}
	if n := nearest(name, names); n != "" {
		return `: did you mean "--` + n + `"?`
	}
	return ": --help lists the flags"
}
