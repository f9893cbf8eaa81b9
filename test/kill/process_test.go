package kill

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is one boot of a server.
type process struct {
	name     string
	settings settings // by which it was started
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	stderr   *tail
	ended    chan struct{} // closed when its output is read and it is waited for

	gossip   atomic.Pointer[string] // where it gossips, once it does
	addr     atomic.Pointer[string] // where clients connect, once they may
	gossips  chan struct{}          // closed with gossip
	listens  chan struct{}          // closed with addr
	acked    chan struct{}          // closed with the first acknowledged event
	answers  chan []json.RawMessage // to what it was asked
	id       string                 // with addr
	ackOnce  sync.Once
	wasAsked sync.Mutex // one question at a time
}

// tail keeps the end of what a process says in its log.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - 1<<18; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// launch starts a process of this binary that is a server, on a host of its own
// if one is named. It listens on loopback unless s says where.
func launch(s settings, host string, note func(p *process, line []json.RawMessage) error) (*process, error) {
	if host == "" {
		s.Gossip, s.Routes, s.Clients = anywhere, anywhere, anywhere
	}
	s.Replicas = cmp.Or(s.Replicas, 3)
	config, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{
		name: s.Name, settings: s, cmd: exec.Command(self), stderr: new(tail), ended: make(chan struct{}),
		gossips: make(chan struct{}), listens: make(chan struct{}), acked: make(chan struct{}), answers: make(chan []json.RawMessage, 1),
	}
	if host != "" { // ip becomes the program, with its number
		p.cmd = exec.Command("ip", "netns", "exec", host, self)
	}
	p.cmd.Env = append(os.Environ(), serverEnv+"="+string(config))
	p.cmd.Stderr = p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line []json.RawMessage
			err := json.Unmarshal(lines.Bytes(), &line)
			if err == nil {
				err = p.hear(line, note)
			}
			if err != nil {
				fmt.Fprintf(p.stderr, "its line %s: %v\n", lines.Text(), err)
			}
		}
		_ = p.cmd.Wait() // it was killed
	}()
	return p, nil
}

// hear takes a line of the process.
func (p *process) hear(line []json.RawMessage, note func(*process, []json.RawMessage) error) error {
	switch word(line, 0) {
	case "gossip":
		addr := word(line, 1)
		p.gossip.Store(&addr)
		close(p.gossips)
	case "listening":
		addr := word(line, 1)
		p.id = word(line, 2)
		p.addr.Store(&addr)
		close(p.listens)
	case "leader", "stats", "stopped", "stepped", "last", "end", "begun", "pending", "asked", "members", "counted", "stored", "burst":
		p.answers <- line
	case "ack":
		p.ackOnce.Do(func() { close(p.acked) })
		return note(p, line)
	case "unknown", "refused", "entry":
		return note(p, line)
	default:
		return fmt.Errorf("unknown")
	}
	return nil
}

// ask has the process do something, and returns what it answers; nil if it ended
// or took too long.
func (p *process) ask(command string) []json.RawMessage {
	p.wasAsked.Lock()
	defer p.wasAsked.Unlock()
	if _, err := io.WriteString(p.stdin, command+"\n"); err != nil {
		return nil
	}
	select {
	case line := <-p.answers:
		return line
	case <-p.ended:
	case <-time.After(patience):
	}
	return nil
}

// anywhere is a port of the system's choice on loopback.
const anywhere = "127.0.0.1:0"

// kill ends the process by SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	_ = p.stdin.Close()
}

// gone reports whether the process ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// complaints are the last lines of its log.
func (p *process) complaints(most int) string {
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// word is a text of a line, "" if there is none.
func word(line []json.RawMessage, i int) (s string) {
	if i < len(line) {
		_ = json.Unmarshal(line[i], &s)
	}
	return s
}

// number is a number of a line, 0 if there is none.
func number(line []json.RawMessage, i int) (n uint64) {
	if i < len(line) {
		_ = json.Unmarshal(line[i], &n)
	}
	return n
}
