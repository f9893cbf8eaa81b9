package daemon

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/node"
)

// read reads a configuration from flags; both listeners choose their ports.
func read(t testing.TB, args ...string) *config.Loaded {
	t.Helper()
	r := config.NewReader(pflag.NewFlagSet("test", pflag.ContinueOnError), config.Default())
	if err := r.Parse(append([]string{"--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	c, err := r.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// running is a daemon that serves, and how to end it.
type running struct {
	*Daemon
	clients, internal string // URLs
	log               *buffer
	end               context.CancelFunc
	ended             chan struct{}
	err               error // of Run, after ended
}

// start runs a daemon that answers "hello" until the test ends.
func start(t testing.TB, c *config.Loaded, change func(*Daemon)) *running {
	t.Helper()
	r := &running{log: &buffer{}, ended: make(chan struct{})}
	levels := NewLevels(c)
	r.Daemon = &Daemon{
		Config: c, Levels: levels, Log: NewLogger(r.log, c, levels),
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		Stats:    func() node.Stats { return node.Stats{} },
		Shutdown: func(context.Context) error { return nil },
	}
	ready := make(chan struct{})
	r.Listening = func(clients, internal net.Addr) {
		r.clients = "http://" + clients.String()
		if internal != nil {
			r.internal = "http://" + internal.String()
		}
		close(ready)
	}
	if change != nil {
		change(r.Daemon)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.end = cancel
	go func() {
		defer close(r.ended)
		r.err = r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.ended
		http.DefaultClient.CloseIdleConnections()
	})
	select {
	case <-ready:
	case <-r.ended:
		t.Fatalf("did not start: %v", r.err)
	}
	return r
}

// get returns the status and body of a GET.
func get(t testing.TB, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// buffer is a log that several goroutines write.
type buffer struct{ testlog.Buffer }

func (b *buffer) expect(t testing.TB, text string) {
	t.Helper()
	if !strings.Contains(b.String(), text) {
		t.Errorf("the log has no %q:\n%s", text, b.String())
	}
}
