package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait of a script.
const patience = 20 * time.Second

// The scripts use these commands beside testscript's own:
//
//	exits CODE PROGRAM ARG...   runs it to its end; on failure it must have said one line
//	start NAME PROGRAM ARG...   starts it and waits until it listens: $NAME_clients, $NAME_internal
//	log NAME TEXT               waits until its standard error has a line with the text
//	field VAR KEY               sets the variable to a field of the JSON line that log found
//	ends NAME CODE              waits for its end
//	reload NAME                 sends SIGHUP
//	quits NAME SIGNAL CODE      sends the signal and waits for its end
//	get URL STATUS [NAME VALUE] asks for it, with a header; stdout has the answer's headers and body
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "start": start, "log": logLine, "field": field, "ends": ends, "reload": reload, "quits": quits, "get": get,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func need(ts *testscript.TestScript, neg bool, args []string, n int) {
	if neg || len(args) < n {
		ts.Fatalf("wrong use of a command: %v", args)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	if said := ts.ReadFile("stderr"); code != 0 && (strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "siod: ")) {
		ts.Fatalf("not one line that begins with siod: %q", said)
	}
}

// background is a program that runs beside a script.
type background struct {
	cmd   *exec.Cmd
	ended chan struct{}
	mu    sync.Mutex
	more  chan struct{} // closed and replaced at each line
	lines []string
}

var running sync.Map // script and name → *background

func key(ts *testscript.TestScript, name string) string { return ts.Name() + "\x00" + name }

func find(ts *testscript.TestScript, name string) *background {
	b, ok := running.Load(key(ts, name))
	if !ok {
		ts.Fatalf("nothing is called %s", name)
	}
	return b.(*background)
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	b := &background{cmd: exec.Command(args[1], args[2:]...), ended: make(chan struct{}), more: make(chan struct{})}
	b.cmd.Dir = ts.MkAbs(".")
	b.cmd.Env = environment(ts)
	stderr, err := b.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(b.cmd.Start())
	go func() {
		defer close(b.ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			b.mu.Lock()
			b.lines = append(b.lines, lines.Text())
			close(b.more)
			b.more = make(chan struct{})
			b.mu.Unlock()
		}
		_ = b.cmd.Wait()
	}()
	running.Store(key(ts, args[0]), b)
	ts.Defer(func() {
		_ = b.cmd.Process.Kill()
		<-b.ended
		running.Delete(key(ts, args[0]))
	})
	var at struct{ Clients, Internal string }
	if err := json.Unmarshal([]byte(b.await(ts, `"msg":"listening"`)), &at); err != nil {
		ts.Fatalf("%v", err)
	}
	ts.Setenv(args[0]+"_clients", at.Clients)
	ts.Setenv(args[0]+"_internal", at.Internal)
}

// environment is the script's, as far as a program may need it.
func environment(ts *testscript.TestScript) []string {
	env := []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	for name := range strings.FieldsSeq(ts.Getenv("PASS")) {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// await returns the first line with the text.
func (b *background) await(ts *testscript.TestScript, text string) string {
	deadline := time.After(patience)
	for seen := 0; ; {
		b.mu.Lock()
		lines, more := b.lines, b.more
		b.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if strings.Contains(lines[seen], text) {
				return lines[seen]
			}
		}
		select {
		case <-more:
		case <-b.ended:
			b.mu.Lock()
			all := len(b.lines) == seen
			b.mu.Unlock()
			if all {
				ts.Fatalf("it ended without saying %q:\n%s", text, strings.Join(lines, "\n"))
			}
		case <-deadline:
			ts.Fatalf("it did not say %q:\n%s", text, strings.Join(lines, "\n"))
		}
	}
}

func logLine(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	fmt.Fprintln(ts.Stdout(), find(ts, args[0]).await(ts, args[1]))
}

func field(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	var line map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &line))
	ts.Setenv(args[0], fmt.Sprint(line[args[1]]))
}

func ends(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	find(ts, args[0]).end(ts, args[1])
}

// end waits until the program has ended with the code.
func (b *background) end(ts *testscript.TestScript, want string) {
	select {
	case <-b.ended:
	case <-time.After(patience):
		ts.Fatalf("it does not end")
	}
	if code := strconv.Itoa(b.cmd.ProcessState.ExitCode()); code != want {
		ts.Fatalf("exit code %s, want %s:\n%s", code, want, strings.Join(b.lines, "\n"))
	}
}

func reload(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1)
	ts.Check(find(ts, args[0]).cmd.Process.Signal(syscall.SIGHUP))
}

func quits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3)
	b := find(ts, args[0])
	sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT}[args[1]]
	ts.Check(b.cmd.Process.Signal(sig))
	b.end(ts, args[2])
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	if len(args) == 4 {
		req.Header.Set(args[2], args[3])
	}
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	var header strings.Builder
	ts.Check(res.Header.Write(&header))
	fmt.Fprintf(ts.Stdout(), "%s\n%s", strings.ReplaceAll(header.String(), "\r", ""), body)
	if strconv.Itoa(res.StatusCode) != args[1] {
		ts.Fatalf("%s answered %d, want %s:\n%s", args[0], res.StatusCode, args[1], body)
	}
}
