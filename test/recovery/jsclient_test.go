package recovery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/siod-io/siod/test/internal/nodejs"
)

// setup is done once for all tests.
var setup sync.Once

// jsPeers starts one process with n clients of socket.io-client 4.8.4, each
// behind a relay of its own.
func (w *world) jsPeers(first, n int) []*peer {
	w.t.Helper()
	if n == 0 {
		return nil
	}
	setup.Do(func() { nodejs.Setup(w.t, "interop") })
	all := make([]*peer, n)
	args := []string{"clients.mjs", fmt.Sprint(first)}
	for i := range all {
		p := w.newPeer(first+i, jsClient)
		p.connected = p.online.Load
		all[i] = p
		args = append(args, w.relay(p))
	}
	ctx, cancel := context.WithCancel(context.Background()) // that of the test ends before the process is told to
	cmd := exec.CommandContext(ctx, "node", args...)
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
	read := make(chan struct{})
	go func() {
		defer close(read)
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
	}()
	w.t.Cleanup(func() {
		kill := time.AfterFunc(patience, cancel)
		defer cancel()
		defer kill.Stop()
		_ = in.Close() // upon which it ends
		<-read
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
	var index int
	var what, text string
	if err := json.Unmarshal(line, &parts); err != nil {
		return err
	}
	if len(parts) < 3 || json.Unmarshal(parts[0], &index) != nil || json.Unmarshal(parts[1], &what) != nil ||
		json.Unmarshal(parts[2], &text) != nil || index < first || index >= first+len(all) {
		return fmt.Errorf("not of its form")
	}
	p := all[index-first]
	switch what {
	case "connect":
		p.told(len(parts) > 3 && string(parts[3]) == "true", text)
		p.online.Store(true)
	case "event":
		p.receive(text, parts[3:])
	case "disconnect":
		p.online.Store(false)
		p.lost.Add(1)
	default:
		p.fault(other, "%s: %s", what, text)
	}
	return nil
}
