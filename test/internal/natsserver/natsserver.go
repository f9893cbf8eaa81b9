package natsserver

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siod-io/siod/internal/testaddr"
)

// patience bounds the start and the end of a server.
const patience = 30 * time.Second

// Place is where a server runs.
type Place struct {
	Clients, Routes string   // "host:port" of its listeners
	Via             []string // a command that runs the program elsewhere, if any
	Config          string   // a file, if any
}

// Server is one NATS server, which can be ended and started again with what it
// stored.
type Server struct {
	Name string

	t     testing.TB
	place Place
	store string   // the directory
	args  []string // the program first
	cmd   *exec.Cmd
	said  *log
}

// Build makes the program from the module that siod needs, for one test.
func Build(t testing.TB) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("go build nats-server: %v\n%s", err, out)
	}
	return program
}

// Loopback are places for n servers on this machine.
func Loopback(t testing.TB, n int) []Place {
	t.Helper()
	places := make([]Place, n)
	for i := range places {
		places[i] = Place{Clients: testaddr.Free(t), Routes: testaddr.Free(t)}
	}
	return places
}

// Start starts a server at each place, which store together if there are
// several. The test ends them.
func Start(t testing.TB, program string, places ...Place) []*Server {
	t.Helper()
	var routes []string
	for _, p := range places {
		routes = append(routes, "nats://"+p.Routes)
	}
	dir := t.TempDir()
	all := make([]*Server, len(places))
	for i, p := range places {
		host, port, err := net.SplitHostPort(p.Clients)
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{Name: fmt.Sprint("nats", i), t: t, place: p, said: new(log)}
		s.store = filepath.Join(dir, s.Name)
		s.args = append(append([]string(nil), p.Via...), program, "-a", host, "-p", port, "-n", s.Name, "-js", "-sd", s.store)
		if p.Config != "" {
			s.args = append(s.args, "-c", p.Config)
		}
		if len(places) > 1 {
			s.args = append(s.args, "--cluster_name", "outside", "--cluster", routes[i], "--routes", strings.Join(routes, ","))
		}
		all[i] = s
	}
	t.Cleanup(func() {
		for _, s := range all {
			s.Stop()
			if t.Failed() {
				t.Logf("NATS server %s said:\n%s", s.Name, s.said.tail())
			}
		}
	})
	for _, s := range all {
		s.launch()
	}
	for _, s := range all {
		s.await()
	}
	return all
}

// URL is for clients of all of them.
func URL(servers []*Server) string {
	var list []string
	for _, s := range servers {
		list = append(list, "nats://"+s.place.Clients)
	}
	return strings.Join(list, ",")
}

// Again starts the server, if it does not run, and waits until it takes clients.
func (s *Server) Again() {
	s.t.Helper()
	if s.cmd == nil {
		s.launch()
		s.await()
	}
}

func (s *Server) launch() {
	s.t.Helper()
	s.said.expect("Server is ready")
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stderr = s.said
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		s.t.Fatal(err)
	}
}

func (s *Server) await() {
	s.t.Helper()
	select {
	case <-s.said.found():
	case <-time.After(patience):
		s.t.Fatalf("NATS server %s is not ready:\n%s", s.Name, s.said.tail())
	}
}

// Backup copies what the server stored, which must not run, into a directory that
// is made.
func (s *Server) Backup(dir string) {
	s.t.Helper()
	s.idle()
	if err := os.CopyFS(dir, os.DirFS(s.store)); err != nil {
		s.t.Fatal(err)
	}
}

// Restore puts a copy of Backup in the place of what the server stored, which must
// not run.
func (s *Server) Restore(dir string) {
	s.t.Helper()
	s.idle()
	if err := os.RemoveAll(s.store); err != nil {
		s.t.Fatal(err)
	}
	if err := os.CopyFS(s.store, os.DirFS(dir)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) idle() {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatalf("NATS server %s runs", s.Name)
	}
}

// Stop ends the server in order.
func (s *Server) Stop() {
	s.t.Helper()
	s.end(syscall.SIGTERM)
}

// Kill ends the server without a word.
func (s *Server) Kill() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

func (s *Server) end(by syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	cmd := s.cmd
	s.cmd = nil
	_ = cmd.Process.Signal(by)
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // it says 1 after a signal
	if !kill.Stop() {
		s.t.Errorf("NATS server %s did not end", s.Name)
	}
}

// log keeps the end of what a server says.
type log struct {
	mu   sync.Mutex
	text []byte
	want []byte        // what somebody waits for
	at   int           // where that may begin
	seen chan struct{} // closed when it was said
}

// expect begins to look for what is said from now on.
func (l *log) expect(want string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.want, l.at, l.seen = []byte(want), len(l.text), make(chan struct{})
}

func (l *log) found() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if l.want != nil && bytes.Contains(l.text[l.at:], l.want) {
		l.want = nil
		close(l.seen)
	}
	if extra := len(l.text) - 1<<18; extra > 0 {
		l.text = l.text[extra:]
		l.at = max(0, l.at-extra)
	}
	return len(p), nil
}

// tail returns the last lines.
func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(l.text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}
