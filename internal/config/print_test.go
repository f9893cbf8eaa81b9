package config

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

func TestDocumentation(t *testing.T) {
	t.Parallel()
	const name = "../../docs/configuration.md"
	got := Markdown()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/configuration.md is not what the table says; run go test ./internal/config -run TestDocumentation -update\n%s", diff)
	}
	for _, o := range Options() {
		for _, name := range []string{"`" + o.Key + "`", "`--" + o.Flag + "`", "`" + o.Env + "`"} {
			if !strings.Contains(got, name) {
				t.Errorf("%s is not in the page", name)
			}
		}
	}
}

// everything is a configuration in which nothing has its default.
func everything(t *testing.T) *Loaded {
	l := &Loaded{Config: Default(), where: map[string]string{}}
	v := reflect.ValueOf(&l.Config).Elem()
	for _, o := range Options() {
		o.set(v, another(o, o.get(v)))
		l.where[o.Key] = "somewhere"
	}
	l.Listen, l.InternalListen = "[::1]:4000", ":4001"
	l.Static, l.ClientBundle = t.TempDir(), ""
	l.Cookie.Name, l.Cookie.Secure = "it's", true
	l.CORS.Headers = []string{"x-one", "x-two"}
	l.Compat.Seed = false
	// A node that stores events itself, with TLS and without recovery.
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.RouteTLSCA, l.RouteTLSCert, l.RouteTLSKey = file, file, file
	l.NATS.TLSCA, l.NATS.TLSCert, l.NATS.TLSKey = file, file, file
	l.NATS.URL, l.NATS.User, l.NATS.Password, l.NATS.Token, l.NATS.Creds, l.NATS.Provision = "", "", "", "", "", true
	return l
}

// What print writes reads back as the same configuration, and so does env.
func TestPrintReadsBack(t *testing.T) {
	t.Parallel()
	want := everything(t)
	var secrets []string
	for _, o := range Options() {
		if s, ok := o.get(reflect.ValueOf(want.Config)).(Secret); ok && s != "" {
			secrets = append(secrets, o.Env+"="+s.Reveal())
		}
	}
	for name, l := range map[string]*Loaded{
		"file":        mustRead(t, want.YAML(), secrets, nil),
		"environment": mustRead(t, "", append(shell(t, want.Env()), secrets...), nil),
	} {
		for _, o := range Options() {
			got, want := o.get(reflect.ValueOf(l.Config)), o.get(reflect.ValueOf(want.Config))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s: -want +got:\n%s", name, o.Key, diff)
			}
		}
	}
}

// shell lets a shell read the variables, as a user of config env would.
func shell(t *testing.T, text string) []string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `set -a; . "$1"; env -0`, "sh", name)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
}

// The defaults read back too, as if they had been set.
func TestDefaultsReadBack(t *testing.T) {
	t.Parallel()
	l := mustRead(t, "", nil, nil)
	mustRead(t, l.YAML(), nil, nil)
	mustRead(t, "", shell(t, l.Env()), nil)
}

func TestPrintSaysWhere(t *testing.T) {
	t.Parallel()
	text := mustRead(t, "", []string{"SIOD_MAX_ROOMS=5"}, []string{"--queue-policy=drop-oldest"}).YAML()
	for _, want := range []string{
		"max_rooms: 5  # from SIOD_MAX_ROOMS\n",
		"queue:\n  max_bytes: 1MiB\n  max_messages: 1024\n  policy: \"drop-oldest\"  # from --queue-policy\n",
		"\nping_interval: 25s\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// A secret is never shown, whatever it is printed with.
func TestSecret(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*Loaded{
		"file":             mustRead(t, "internal_token: "+canary, nil, nil),
		"file of its own":  mustRead(t, "internal_token_file: "+file, nil, nil),
		"variable":         mustRead(t, "", []string{"SIOD_INTERNAL_TOKEN=" + canary}, nil),
		"file of variable": mustRead(t, "", []string{"SIOD_INTERNAL_TOKEN_FILE=" + file}, nil),
		"file of flag":     mustRead(t, "", nil, []string{"--internal-token-file", file}),
	} {
		if got := l.InternalToken.Reveal(); got != canary {
			t.Errorf("%s: the secret is %q", name, got)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("it", "secret", l.InternalToken, "all", l.Listeners)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("it", "secret", l.InternalToken, "all", l.Listeners)
		shown := log.String() + l.YAML() + l.Env() + fmt.Sprintf("%v %+v %#v %s %q", l, l.Config, l.Config, l.InternalToken, l.InternalToken)
		if strings.Contains(shown, canary) {
			t.Errorf("%s: the secret is shown:\n%s", name, shown)
		}
		if !strings.Contains(l.YAML(), `# internal_token: "***"`) {
			t.Errorf("%s: print does not say that there is a secret", name)
		}
	}
	_, err := read(t, "internal_token: ["+canary+"]", nil, nil)
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("the error shows the secret, or there is none: %v", err)
	}
	if got := (Secret("")).String(); got != "" {
		t.Errorf("no secret is shown as %q", got)
	}
}

// Help lists every flag with its default, under its heading.
func TestUsage(t *testing.T) {
	t.Parallel()
	r := NewReader(pflag.NewFlagSet("test", pflag.ContinueOnError), Default())
	text := r.Usage(100)
	for _, o := range Options() {
		if !strings.Contains(text, "--"+o.Flag+" ") {
			t.Errorf("no --%s", o.Flag)
		}
		if !strings.Contains(text, "\n"+o.Group+":\n") {
			t.Errorf("no heading %q", o.Group)
		}
	}
	if !strings.Contains(strings.Join(strings.Fields(text), " "), "--ping-interval duration Time between heartbeats. (default 25s)") {
		t.Errorf("no default in\n%s", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 110 {
			t.Errorf("%q is %d long", line, len(line))
		}
	}
}
