package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siod-io/siod/internal/config"
)

// Operators' pages are on the internal listener and nowhere else.
func TestListeners(t *testing.T) {
	t.Parallel()
	r := start(t, read(t), nil)
	for path, want := range map[string]string{
		"/livez": "ok\n", "/readyz": "ok\n", "/startupz": "ok\n", "/metrics": "siod_connections 0\n",
		"/debug/pprof/": "goroutine", "/debug/pprof/cmdline": "test", "/": "/readyz",
	} {
		if status, body := get(t, r.internal+path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("internal %s: %d %.100q", path, status, body)
		}
		if status, body := get(t, r.clients+path); status != http.StatusOK || body != "hello" {
			t.Errorf("clients' %s: %d %.100q", path, status, body)
		}
	}
	for _, path := range []string{"/nothing", "/livez/x", "/socket.io/?EIO=4&transport=polling"} {
		if status, _ := get(t, r.internal+path); status != http.StatusNotFound {
			t.Errorf("internal %s: %d", path, status)
		}
	}
	_, metrics := get(t, r.internal+"/metrics")
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_open_fds ", "\nsiod_build_info{", "\nsiod_draining 0\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %q", want)
		}
	}
}

func TestInternalListenerOff(t *testing.T) {
	t.Parallel()
	r := start(t, read(t, "--internal-listen="), nil)
	if r.internal != "" {
		t.Errorf("internal listener at %s", r.internal)
	}
	if status, _ := get(t, r.clients); status != http.StatusOK {
		t.Errorf("clients: %d", status)
	}
	r.log.expect(t, `"internal":"off"`)
}

// With a token metrics and profiles ask for it, and probes do not.
func TestInternalToken(t *testing.T) {
	t.Parallel()
	c := read(t)
	c.InternalToken = "canary-token"
	r := start(t, c, nil)
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/startupz": 200, "/metrics": 401, "/debug/pprof/": 401} {
		if status, _ := get(t, r.internal+path); status != want {
			t.Errorf("%s without a token: %d, want %d", path, status, want)
		}
		if status, _ := get(t, r.internal+path, "Authorization", "Bearer wrong"); status != want {
			t.Errorf("%s with a wrong token: %d, want %d", path, status, want)
		}
		if status, _ := get(t, r.internal+path, "Authorization", "Bearer canary-token"); status != 200 {
			t.Errorf("%s with the token: %d", path, status)
		}
	}
	if strings.Contains(r.log.String(), "canary") {
		t.Errorf("the token is in the log:\n%s", r.log)
	}
}

// Readiness follows the backplane, within ready_timeout; liveness does not.
func TestReadiness(t *testing.T) {
	t.Parallel()
	broken := errors.New("no route")
	result := make(chan error, 1)
	r := start(t, read(t, "--ready-timeout=50ms"), func(d *Daemon) {
		d.Healthy = func(ctx context.Context) error {
			select {
			case err := <-result:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	for _, c := range []struct {
		name   string
		send   bool
		err    error
		status int
		body   string
	}{
		{"healthy", true, nil, 200, "ok\n"},
		{"broken", true, broken, 503, "backplane: no route\n"},
		{"silent", false, nil, 503, "backplane: context deadline exceeded\n"},
		{"healthy again", true, nil, 200, "ok\n"},
	} {
		if c.send {
			result <- c.err
		}
		if status, body := get(t, r.internal+"/readyz"); status != c.status || body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, body, c.status, c.body)
		}
		if status, _ := get(t, r.internal+"/livez"); status != 200 {
			t.Errorf("%s: not alive: %d", c.name, status)
		}
	}
}

// At the end readiness turns red first; requests that are being answered end;
// then the listeners close.
func TestShutdown(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	inShutdown, proceed := make(chan struct{}), make(chan struct{})
	r := start(t, read(t), func(d *Daemon) {
		d.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(entered)
				<-release
			}
			_, _ = w.Write([]byte("done"))
		})
		d.Shutdown = func(context.Context) error {
			close(inShutdown)
			<-proceed
			close(release)
			return nil
		}
	})
	slow := make(chan string, 1)
	go func() {
		res, err := http.Get(r.clients + "/slow")
		if err != nil {
			slow <- err.Error()
			return
		}
		defer res.Body.Close()
		b := make([]byte, 4)
		_, _ = res.Body.Read(b)
		slow <- string(b)
	}()
	<-entered
	r.end()
	<-inShutdown
	if status, body := get(t, r.internal+"/readyz"); status != 503 || body != "draining\n" {
		t.Errorf("readiness while shutting down: %d %q", status, body)
	}
	if status, _ := get(t, r.internal+"/livez"); status != 200 {
		t.Errorf("liveness while shutting down: %d", status)
	}
	if _, metrics := get(t, r.internal+"/metrics"); !strings.Contains(metrics, "\nsiod_draining 1\n") {
		t.Error("/metrics does not say that the server is draining")
	}
	close(proceed)
	if got := <-slow; got != "done" {
		t.Errorf("the request that was being answered got %q", got)
	}
	<-r.ended
	if r.err != nil {
		t.Errorf("Run returned %v", r.err)
	}
	for _, url := range []string{r.clients, r.internal} {
		if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
			c.Close()
			t.Errorf("%s still accepts", url)
		}
	}
}

// shutdown_delay passes between red readiness and the end of sessions.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	c := read(t, "--shutdown-delay=40s", "--shutdown-timeout=7s")
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var called, deadline time.Duration
		d := &Daemon{Config: c, Log: NewLogger(&buffer{}, c, NewLevels(c)), Shutdown: func(ctx context.Context) error {
			called = time.Since(begun)
			at, _ := ctx.Deadline()
			deadline = time.Until(at)
			<-ctx.Done()
			return ctx.Err()
		}}
		if err := d.stop(t.Context(), &http.Server{}); err != nil {
			t.Errorf("clients that are slow to go are no failure: %v", err)
		}
		if called != 40*time.Second || deadline != 7*time.Second || time.Since(begun) != 47*time.Second {
			t.Errorf("sessions were ended after %v with %v to go; all took %v", called, deadline, time.Since(begun))
		}
		if !d.draining.Load() {
			t.Error("not draining")
		}
	})
}

// Any other failure of the end is reported.
func TestShutdownFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := start(t, read(t), func(d *Daemon) { d.Shutdown = func(context.Context) error { return broken } })
	r.end()
	<-r.ended
	if !errors.Is(r.err, broken) {
		t.Errorf("got %v", r.err)
	}
}

// An address that cannot be had is named in one line, with what to do.
func TestListenErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	for _, c := range []struct{ flag, addr, want string }{
		{"--listen", addr, "cannot listen on " + addr + ": the address is in use: stop the program that has it, or choose another with --listen"},
		{"--internal-listen", addr, "cannot listen on " + addr + ": the address is in use: stop the program that has it, or choose another with --internal-listen"},
		{"--listen", "192.0.2.1:0", "cannot listen on 192.0.2.1:0: no network interface of this machine has it: choose another with --listen"},
	} {
		ended := false
		d := &Daemon{
			Config: read(t, c.flag+"="+c.addr), Handler: http.NotFoundHandler(),
			Shutdown: func(context.Context) error { ended = true; return nil },
		}
		err := d.Run(t.Context())
		var le *ListenError
		if !errors.As(err, &le) || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		if !ended {
			t.Errorf("%s: the server was not shut down", c.want)
		}
	}
}

// What is risky is said at the start.
func TestWarnings(t *testing.T) {
	t.Parallel()
	r := start(t, read(t, "--cors-origins=*", "--compat-seed"), nil)
	r.log.expect(t, "pages of every origin may connect")
	r.log.expect(t, "compat.seed")
	r.log.expect(t, "handshake_rate needs trusted_proxies")
	r = start(t, read(t, "--event-rate=0", "--direct"), nil)
	r.log.expect(t, "any number of events")
	if strings.Contains(r.log.String(), "handshake_rate") {
		t.Errorf("with direct the rate is in effect:\n%s", r.log)
	}
	c := read(t)
	c.InternalListen = ":0"
	r = start(t, c, nil)
	r.log.expect(t, "reachable from other machines")
	if r = start(t, read(t), nil); strings.Contains(r.log.String(), "WARN") {
		t.Errorf("the defaults warn:\n%s", r.log)
	}
}

// A reload takes over what is live, names the rest, and survives mistakes.
func TestReload(t *testing.T) {
	t.Parallel()
	reload, read1 := make(chan struct{}), make(chan func() (*config.Loaded, error), 1)
	r := start(t, read(t), func(d *Daemon) {
		d.Reload = reload
		d.Read = func() (*config.Loaded, error) { return (<-read1)() }
	})
	if r.Levels.server.Level().String() != "INFO" {
		t.Fatalf("level %v", r.Levels.server.Level())
	}
	next := read(t, "--log-level=error", "--log-transport=debug", "--max-rooms=3")
	read1 <- func() (*config.Loaded, error) { return next, nil }
	reload <- struct{}{}
	read1 <- func() (*config.Loaded, error) { return nil, errors.New("line 3 is wrong") }
	reload <- struct{}{} // taken when the first is done
	r.end()
	<-r.ended
	if got := r.Levels.server.Level().String() + " " + r.Levels.transport.Level().String(); got != "ERROR DEBUG" {
		t.Errorf("levels %s", got)
	}
	r.log.expect(t, "line 3 is wrong")
	if ok, wrong := r.reloadsOK.Load(), r.reloadsWrong.Load(); ok != 1 || wrong != 1 {
		t.Errorf("%d and %d reloads counted", ok, wrong)
	}
	// The level rose to error before the report, as it should: take it from
	// what was there.
	live, restart := config.Changes(read(t), next)
	if len(live) != 2 || len(restart) != 1 {
		t.Errorf("changes %v and %v", live, restart)
	}
}

// Who asks for much and reads nothing is cut off after write_timeout; who reads
// slowly is not.
func TestAnswerThatIsNotRead(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	d := start(t, read(t, "--write-timeout=500ms"), func(d *Daemon) {
		d.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					failed <- err
					return
				}
			}
		})
	})
	c, err := net.Dial("tcp", strings.TrimPrefix(d.clients, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// For several times as long as one write may take something is read.
	for begin := time.Now(); time.Since(begin) < time.Second; {
		if _, err := io.CopyN(io.Discard, c, 256<<10); err != nil {
			t.Fatal("cut off while it reads:", err)
		}
	}
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the answer is still being written")
	}
}
