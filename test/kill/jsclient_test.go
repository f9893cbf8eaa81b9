package kill

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/siod-io/siod/test/internal/nodejs"
)

// setup is done once for all tests.
var setup sync.Once

// jsProcess is a process with clients of socket.io-client 4.8.4.
type jsProcess struct {
	commands chan []any // lines that it has yet to get
}

func (j *jsProcess) tell(line ...any) { j.commands <- line }

// jsPeers starts a process with n clients.
func (w *world) jsPeers(first, n int) []*peer {
	w.t.Helper()
	setup.Do(func() { nodejs.Setup(w.t, "interop") })
	j := &jsProcess{commands: make(chan []any, 1<<16)}
	w.js = append(w.js, j)
	all := make([]*peer, n)
	for i := range all {
		index := first + i
		p := newPeer(w.model, index, jsClient)
		p.home = roomName(index % *roomCount)
		p.send = func(event string, args ...any) { j.tell(append([]any{"emit", index, event}, args...)...) }
		p.away = func(d time.Duration) { j.tell("away", index, d.Milliseconds()) }
		all[i] = p
	}
	ctx, cancel := context.WithCancel(context.Background()) // that of the test ends before the process is told to
	cmd := exec.CommandContext(ctx, "node", append([]string{"clients.mjs", strconv.Itoa(first), strconv.Itoa(n)}, w.addresses()...)...)
	var failure bytes.Buffer
	cmd.Stderr = &failure
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	var busy sync.WaitGroup
	busy.Go(func() { // its input is written while it writes its output
		enc := json.NewEncoder(in)
		for line := range j.commands {
			_ = enc.Encode(line) // of a process that ended, its output tells
		}
		_ = in.Close() // upon which it ends
	})
	busy.Go(func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if err := w.jsLine(all, first, lines.Bytes()); err != nil {
				w.model.fault(other, "output of clients.mjs: %v: %s", err, lines.Text())
			}
		}
		if err := lines.Err(); err != nil {
			w.model.fault(other, "output of clients.mjs: %v", err)
		}
	})
	w.t.Cleanup(func() {
		kill := time.AfterFunc(patience, cancel)
		defer cancel()
		defer kill.Stop()
		close(j.commands)
		busy.Wait()
		if err := cmd.Wait(); err != nil || failure.Len() > 0 {
			w.t.Errorf("clients.mjs: %v\n%s", err, failure.String())
		}
	})
	return all
}

// jsLine takes one line of the process: a JSON array that begins with the
// client's number and what happened to it.
func (w *world) jsLine(all []*peer, first int, line []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		return err
	}
	index := int(number(parts, 0))
	if len(parts) < 3 || index < first || index >= first+len(all) {
		return fmt.Errorf("not of its form")
	}
	p := all[index-first]
	switch what := word(parts, 1); what {
	case "connect":
		if len(parts) != 5 {
			return fmt.Errorf("not of its form")
		}
		p.connected(word(parts, 2), string(parts[3]) == "true", string(parts[4]) == "true", w.window)
	case "event":
		if len(parts) < 4 {
			return fmt.Errorf("not of its form")
		}
		p.event(word(parts, 2), parts[3], parts[4:])
	case "disconnect":
		p.disconnected(word(parts, 2))
	default:
		p.model.fault(other, "client %d: %s: %s", index, what, word(parts, 2))
	}
	return nil
}
