package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/config"
)

// output is what a program prints; it tells each write.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{}
}

func newOutput() *output { return &output{written: make(chan struct{}, 100)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.b.Write(p)
	o.written <- struct{}{}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// launch runs the program inside the test and returns its address; end stops it
// and checks how it ended.
func launch(t *testing.T, args ...string) (addr string, end func()) {
	t.Helper()
	stdout, stderr := newOutput(), newOutput()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- run(ctx, append([]string{"--listen=127.0.0.1:0"}, args...), stdout, stderr, nil) }()
	end = sync.OnceFunc(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if c := <-code; c != 0 {
			t.Errorf("exit code %d:\n%s", c, stderr)
		}
		if strings.Count(stdout.String(), "\n") != 1 {
			t.Errorf("not one line on standard output: %q", stdout)
		}
	})
	t.Cleanup(end)
	select {
	case <-stdout.written:
	case c := <-code:
		code <- c
		t.Fatalf("exit code %d:\n%s", c, stderr)
	}
	addr, ok := strings.CutPrefix(strings.TrimSuffix(stdout.String(), "\n"), "listening ")
	if !ok {
		t.Fatalf("printed %q", stdout)
	}
	return addr, end
}

// Every app starts, serves its endpoint, says so in one line, and ends in
// order; nothing else is served for clients.
func TestApps(t *testing.T) {
	t.Parallel()
	for _, app := range slices.Sorted(maps.Keys(apps)) {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			addr, end := launch(t, "--app="+app, "--ping-interval=9s", "--transports=websocket")
			path := "/socket.io/"
			if app == "engine" {
				path = "/engine.io/"
			}
			if status, body := get(t, "http://"+addr+path+"?EIO=4&transport=polling"); status != 400 || !strings.Contains(body, `"code":0`) {
				t.Errorf("polling, which is off: %d %s", status, body)
			}
			for _, other := range []string{"/", "/metrics", "/livez"} {
				if status, _ := get(t, "http://"+addr+other); status != 404 {
					t.Errorf("%s: %d", other, status)
				}
			}
			end()
		})
	}
}

// The internal listener, off unless asked for, shows what the app does.
func TestInternalListener(t *testing.T) {
	t.Parallel()
	for app, path := range map[string]string{"echo": "/socket.io/", "engine": "/engine.io/"} {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			internal := free.Addr().String()
			free.Close()
			addr, _ := launch(t, "--app="+app, "--internal-listen="+internal, "--shutdown-timeout=100ms")
			if status, _ := get(t, "http://"+addr+path+"?EIO=4&transport=polling"); status != 200 {
				t.Errorf("handshake: %d", status)
			}
			if status, body := get(t, "http://"+internal+"/metrics"); status != 200 || !strings.Contains(body, "\nsiod_connections 1\n") {
				t.Errorf("/metrics: %d\n%s", status, body)
			}
			if status, body := get(t, "http://"+internal+"/readyz"); status != 200 || body != "ok\n" {
				t.Errorf("/readyz: %d %s", status, body)
			}
		})
	}
}

// Namespaces beside the app's own, files and the client's scripts, as siod has
// them.
func TestSettingsBesideTheApp(t *testing.T) {
	t.Parallel()
	addr, _ := launch(t, "--app=echo", "--namespaces=/,/more,/game-*", "--static=.")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "http://"+addr, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Close()
		<-c.Done()
	}()
	for _, ns := range []string{"/", "/admin", "/more", "/game-7"} {
		if _, err := c.Connect(ctx, ns, nil); err != nil {
			t.Errorf("%s: %v", ns, err)
		}
	}
	if _, err := c.Connect(ctx, "/other", nil); err == nil {
		t.Error("/other was let in")
	}
	if status, body := get(t, "http://"+addr+"/README.md"); status != 200 || !strings.Contains(body, "--app") {
		t.Errorf("README.md: %d", status)
	}
}

// Its flags are those of siod serve, and --app; its defaults differ only where
// a library alone would.
func TestFlags(t *testing.T) {
	t.Parallel()
	fs := pflag.NewFlagSet("target", pflag.ContinueOnError)
	addFlags(fs)
	siod := pflag.NewFlagSet("siod", pflag.ContinueOnError)
	config.NewReader(siod, config.Default())
	var differ, extra []string
	fs.VisitAll(func(f *pflag.Flag) {
		switch s := siod.Lookup(f.Name); {
		case s == nil:
			extra = append(extra, f.Name)
		case s.Usage != f.Usage || s.Value.Type() != f.Value.Type():
			t.Errorf("--%s is another flag than siod's", f.Name)
		case s.DefValue != f.DefValue:
			differ = append(differ, f.Name)
		}
	})
	siod.VisitAll(func(f *pflag.Flag) {
		if fs.Lookup(f.Name) == nil {
			t.Errorf("no --%s", f.Name)
		}
	})
	slices.Sort(differ)
	if got, want := fmt.Sprint(differ), "[event-burst event-rate handshake-burst handshake-rate internal-listen log-format log-level recovery shutdown-timeout]"; got != want {
		t.Errorf("defaults that differ: %s, want %s", got, want)
	}
	if fmt.Sprint(extra) != "[app]" {
		t.Errorf("flags that siod has not: %v", extra)
	}
}

// What is wrong is said in one line, with exit code 2 or 1.
func TestMistakes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		code    int
		say     string
		environ []string
		args    []string
	}{
		{2, `--app nope is not one of bench, echo, engine, interop, protocol: see --help`, nil, []string{"--app=nope"}},
		{2, `--pingintervall: unknown flag: did you mean "--ping-interval"?`, nil, []string{"--pingintervall=1s"}},
		{2, `unexpected argument "echo": see --help`, nil, []string{"echo"}},
		{2, `--max-payload: "big" is not a size: write one such as 64KiB, 1MB or 4096`, nil, []string{"--max-payload=big"}},
		{2, `--app: needs a value: handlers: bench, engine, protocol, echo, interop`, nil, []string{"--app"}},
		{2, `.: cannot read the configuration: is a directory`, nil, []string{"--config=."}},
		{2, `--static: run_test.go is not a directory`, nil, []string{"--static=run_test.go"}},
		{2, `--shards: "1000000000" is more than 4096, the most there may be`, nil, []string{"--shards=1000000000"}},
		{2, `SIOD_LISTEN: "x" is not an address: write host:port, such as 127.0.0.1:3000 or :3000`, []string{"SIOD_LISTEN=x"}, nil},
		{2, `SIOD_EIO: unknown variable: did you mean "SIOD_EIO3"?`, []string{"SIOD_EIO=3"}, nil},
		{1, "cannot listen on " + taken.Addr().String() + ": the address is in use: stop the program that has it, or choose another with --listen", nil, []string{"--listen=" + taken.Addr().String()}},
	} {
		stdout, stderr := newOutput(), newOutput()
		code := run(t.Context(), c.args, stdout, stderr, c.environ)
		if want := "target: " + c.say + "\n"; code != c.code || stderr.String() != want || stdout.String() != "" {
			t.Errorf("exit code %d, want %d\ngot  %swant %s", code, c.code, stderr, want)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	stdout, stderr := newOutput(), newOutput()
	if code := run(t.Context(), []string{"--help"}, stdout, stderr, nil); code != 0 || stderr.String() != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"--app text", "--ping-interval duration", "Limits:"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("help has no %q", want)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
