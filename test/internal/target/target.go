package target

import (
	"bufio"
	"bytes"
	"fmt"
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

// patience is how long the process may take to start and to end.
const patience = 30 * time.Second

// Server is a running program under test.
type Server struct {
	Addr     string // of the clients' listener
	Internal string // of the listener for health and metrics

	args  []string
	t     testing.TB
	cmd   *exec.Cmd
	log   *log
	once  sync.Once     // of the end
	ready chan string   // its address
	done  chan struct{} // closed when the process has ended
	err   error         // of the process, after done
}

// Start runs the program with the arguments after its two listen flags, and
// returns when it says that it is ready.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := launch(t, args)
	s.await()
	return s
}

// StartAll runs the program once for each list of arguments, all at the same
// time, since nodes of a cluster may wait for each other, and returns when all
// say that they are ready.
func StartAll(t testing.TB, args ...[]string) []*Server {
	t.Helper()
	var all []*Server
	for _, a := range args {
		all = append(all, launch(t, a))
	}
	for _, s := range all {
		s.await()
	}
	return all
}

// Again starts a server that was stopped, with the addresses and arguments that
// it had.
func (s *Server) Again(t testing.TB) *Server {
	t.Helper()
	again := launchAt(t, s.Addr, s.Internal, s.args)
	again.await()
	return again
}

func launch(t testing.TB, args []string) *Server {
	t.Helper()
	return launchAt(t, testaddr.Free(t), testaddr.Free(t), args)
}

func launchAt(t testing.TB, clients, internal string, args []string) *Server {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, Internal: internal, args: args, log: &log{}, ready: make(chan string, 1), done: make(chan struct{})}
	s.cmd = exec.Command(bin, append([]string{"--listen", clients, "--internal-listen", internal}, args...)...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if a, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
				select {
				case s.ready <- a:
				default:
				}
			}
		}
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(s.stop)
	return s
}

// await waits until it says that it is ready.
func (s *Server) await() {
	s.t.Helper()
	select {
	case s.Addr = <-s.ready:
	case <-s.done:
		s.t.Fatalf("the server ended before it was ready: %v\n%s", s.err, s.log.tail())
	case <-time.After(patience):
		s.t.Fatalf("the server was not ready in %v\n%s", patience, s.log.tail())
	}
}

// Alive fails the test when the process has ended.
func (s *Server) Alive(t testing.TB) {
	t.Helper()
	select {
	case <-s.done:
		t.Fatalf("the server ended: %v\n%s", s.err, s.log.tail())
	default:
	}
}

// PID of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is what the server has written to standard error.
func (s *Server) Log() string { return s.log.String() }

// Stop ends the process before the test ends, in order, and checks how it ended.
func (s *Server) Stop() {
	s.t.Helper()
	s.stop()
}

// Kill ends the process without a word, by SIGKILL.
func (s *Server) Kill() {
	s.t.Helper()
	s.once.Do(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.checkLog()
	})
}

// stop ends the process and checks how it ended, once.
func (s *Server) stop() {
	s.t.Helper()
	s.once.Do(s.end)
}

func (s *Server) end() {
	s.t.Helper()
	select {
	case <-s.done:
		s.t.Errorf("the server ended before the test: %v", s.err)
	default:
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
			if s.err != nil {
				s.t.Errorf("the server ended with %v after SIGTERM", s.err)
			}
		case <-time.After(patience):
			_ = s.cmd.Process.Kill()
			<-s.done
			s.t.Errorf("the server did not end in %v after SIGTERM", patience)
		}
	}
	s.checkLog()
}

// checkLog looks for what no log may have, and keeps that of a failed test.
func (s *Server) checkLog() {
	s.t.Helper()
	for _, bad := range []string{"panic:", "DATA RACE", "fatal error:"} {
		if strings.Contains(s.log.String(), bad) {
			s.t.Errorf("the server's log has %q", bad)
		}
	}
	if s.t.Failed() {
		name := filepath.Join(s.t.ArtifactDir(), "server.log")
		if err := os.WriteFile(name, []byte(s.log.String()), 0o644); err != nil {
			s.t.Error(err)
		}
		s.t.Logf("end of the server's log (all of it in %s):\n%s", name, s.log.tail())
	}
}

// log keeps what a process writes, up to a bound that no test should meet.
type log struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	lost int
}

const maxLog = 64 << 20

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len()+len(p) > maxLog {
		l.lost += len(p)
		return len(p), nil
	}
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		return l.buf.String() + fmt.Sprintf("\n(%d more bytes)\n", l.lost)
	}
	return l.buf.String()
}

// tail is the last few kilobytes.
func (l *log) tail() string {
	s := l.String()
	if len(s) > 4096 {
		s = "…" + s[len(s)-4096:]
	}
	return s
}
