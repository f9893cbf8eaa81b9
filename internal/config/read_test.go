package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// read reads a configuration from a file's text, the environment and flags.
func read(t testing.TB, file string, environ, args []string) (*Loaded, error) {
	t.Helper()
	if file != "" {
		name := filepath.Join(t.TempDir(), "siod.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", name}, args...)
	}
	r := NewReader(pflag.NewFlagSet("test", pflag.ContinueOnError), Default())
	if err := r.Parse(args); err != nil {
		return nil, err
	}
	return r.Read(environ)
}

func mustRead(t testing.TB, file string, environ, args []string) *Loaded {
	t.Helper()
	l, err := read(t, file, environ, args)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A flag wins over a variable, a variable over the file, the file over the
// default; lists are replaced, not mixed.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := "ping_interval: 1s\nping_timeout: 1s\nupgrade_timeout: 1s\ncors:\n  origins: [https://file.example, https://file2.example]\n"
	l := mustRead(t, file,
		[]string{"SIOD_PING_INTERVAL=2s", "SIOD_PING_TIMEOUT=2s", "SIOD_CORS_ORIGINS=https://env.example", "OTHER=x", "NOVALUE"},
		[]string{"--ping-interval=3s"})
	got := map[string]any{
		"ping_interval": l.PingInterval, "ping_timeout": l.PingTimeout, "upgrade_timeout": l.UpgradeTimeout,
		"close_timeout": l.CloseTimeout, "origins": l.CORS.Origins,
	}
	want := map[string]any{
		"ping_interval": 3 * time.Second, "ping_timeout": 2 * time.Second, "upgrade_timeout": time.Second,
		"close_timeout": Default().CloseTimeout, "origins": []string{"https://env.example"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	where := map[string]string{}
	for _, key := range []string{"ping_interval", "ping_timeout", "upgrade_timeout", "close_timeout"} {
		where[key] = strings.TrimPrefix(l.Where(key), l.File)
	}
	wantWhere := map[string]string{"ping_interval": "--ping-interval", "ping_timeout": "SIOD_PING_TIMEOUT", "upgrade_timeout": ": upgrade_timeout", "close_timeout": ""}
	if diff := cmp.Diff(wantWhere, where); diff != "" {
		t.Errorf("sources -want +got:\n%s", diff)
	}
}

// The file can be named by a variable; the flag wins.
func TestFileByVariable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"env.yaml": "max_rooms: 7", "flag.yaml": "max_rooms: 8"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{"SIOD_CONFIG=" + filepath.Join(dir, "env.yaml")}
	if l := mustRead(t, "", environ, nil); l.MaxRooms != 7 {
		t.Errorf("max_rooms %d, want 7", l.MaxRooms)
	}
	if l := mustRead(t, "", environ, []string{"--config", filepath.Join(dir, "flag.yaml")}); l.MaxRooms != 8 {
		t.Errorf("max_rooms %d, want 8", l.MaxRooms)
	}
}

// What may be written, in each source.
func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		file string
		args []string
		get  func(*Loaded) any
		want any
	}{
		{"bool flag alone", "", []string{"--jsonp"}, func(l *Loaded) any { return l.JSONP }, true},
		{"bool flag off", "", []string{"--eio3=false"}, func(l *Loaded) any { return l.EIO3 }, false},
		{"flag of a section", "", []string{"--recovery=false"}, func(l *Loaded) any { return l.Recovery.Enabled }, false},
		{"flag of a name", "", []string{"--cookie", "io"}, func(l *Loaded) any { return l.Cookie.Name }, "io"},
		{"list in two flags", "", []string{"--cors-origins", "https://a.example,https://b.example", "--cors-origins", "https://c.example"}, func(l *Loaded) any { return l.CORS.Origins }, []string{"https://a.example", "https://b.example", "https://c.example"}},
		{"list in the file", "transports: [websocket]", nil, func(l *Loaded) any { return l.Transports }, []string{"websocket"}},
		{"list as text in the file", "transports: websocket", nil, func(l *Loaded) any { return l.Transports }, []string{"websocket"}},
		{"empty list", "cors: {origins: []}", nil, func(l *Loaded) any { return len(l.CORS.Origins) }, 0},
		{"size of a plain number", "max_payload: 2000", nil, func(l *Loaded) any { return l.MaxPayload }, Size(2000)},
		{"size with a unit", "max_payload: 64KiB", nil, func(l *Loaded) any { return l.MaxPayload }, Size(65536)},
		{"size as a float", "max_payload: 1e6", nil, func(l *Loaded) any { return l.MaxPayload }, Size(1_000_000)},
		{"rate", "event_rate: 0.5", nil, func(l *Loaded) any { return l.EventRate }, 0.5},
		{"integer as rate", "event_rate: 3", nil, func(l *Loaded) any { return l.EventRate }, 3.0},
		{"duration", "ping_interval: 1m30s", nil, func(l *Loaded) any { return l.PingInterval }, 90 * time.Second},
		{"zero that means something", "shutdown_delay: 0", nil, func(l *Loaded) any { return l.ShutdownDelay }, time.Duration(0)},
		{"empty that means something", "", []string{"--internal-listen="}, func(l *Loaded) any { return l.InternalListen }, ""},
		{"key with dots", "queue.policy: drop-oldest", nil, func(l *Loaded) any { return l.Queue.Policy }, "drop-oldest"},
		{"empty section", "cors:\nlog: {}\nmax_rooms: 5", nil, func(l *Loaded) any { return l.MaxRooms }, 5},
		{"comment only", "# nothing", nil, func(l *Loaded) any { return l.MaxRooms }, 1000},
		{"JSON", `{"queue": {"max_messages": 9}}`, nil, func(l *Loaded) any { return l.Queue.MaxMessages }, 9},
		{"number as text", "cookie: {name: 42}", nil, func(l *Loaded) any { return l.Cookie.Name }, "42"},
		{"pattern of namespaces", `namespaces: [/, /game-*]`, nil, func(l *Loaded) any { return l.StaticNamespaces() }, []string{"/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, c.get(mustRead(t, c.file, nil, c.args))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// compat.seed changes the defaults, and what is set still wins (R7).
func TestSeed(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*Loaded{
		"flag": mustRead(t, "", nil, []string{"--compat-seed", "--max-payload=2MB"}),
		"file": mustRead(t, "compat: {seed: true}\nmax_payload: 2MB\n", nil, nil),
	} {
		got := map[string]any{
			"timeout": l.PingTimeout, "payload": l.MaxPayload, "cookie": l.Cookie.Name, "origins": l.CORS.Origins,
			"credentials": l.CORS.Credentials, "valid": l.Transport().Validate(), "node": l.Node().CompatSeed,
		}
		want := map[string]any{
			"timeout": time.Minute, "payload": Size(2_000_000), "cookie": "io", "origins": []string{"*"},
			"credentials": true, "valid": error(nil), "node": true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// Variables that Kubernetes makes of a Service called siod are not ours.
func TestServiceLinks(t *testing.T) {
	t.Parallel()
	mustRead(t, "", []string{
		"SIOD_SERVICE_HOST=10.0.0.1", "SIOD_SERVICE_PORT=3000", "SIOD_SERVICE_PORT_HTTP=3000", "SIOD_PORT=tcp://10.0.0.1:3000",
		"SIOD_PORT_3000_TCP=tcp://10.0.0.1:3000", "SIOD_PORT_3000_TCP_ADDR=10.0.0.1", "SIOD_PORT_3000_TCP_PORT=3000",
		"SIOD_HEADLESS_SERVICE_HOST=None",
	}, nil)
	for _, v := range []string{"SIOD_PORT=3000", "SIOD_PORT_=1", "SIOD_PORT_X=1"} {
		if _, err := read(t, "", []string{v}, nil); err == nil {
			t.Errorf("%s was taken for a variable of Kubernetes", v)
		}
	}
}

// Changes tells what a running server can take over from what it cannot.
func TestChanges(t *testing.T) {
	t.Parallel()
	before := mustRead(t, "", nil, nil)
	after := mustRead(t, "log: {level: debug}\nmax_rooms: 3\n", nil, nil)
	live, restart := Changes(before, after)
	if diff := cmp.Diff([][]string{{"log.level"}, {"max_rooms"}}, [][]string{live, restart}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if live, restart = Changes(before, before); len(live)+len(restart) != 0 {
		t.Errorf("nothing changed, and it says %v %v", live, restart)
	}
}

func TestHelpIsAskedFor(t *testing.T) {
	t.Parallel()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.Usage = func() {}
	if err := NewReader(fs, Default()).Parse([]string{"--help"}); !errors.Is(err, pflag.ErrHelp) {
		t.Errorf("got %v", err)
	}
}
