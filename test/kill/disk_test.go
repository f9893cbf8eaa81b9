package kill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// diskSize is that of the disk of one store.
const diskSize = 64 << 20

// TestFullDisk fills the disk of the log's leader, and then those of all: what
// was acknowledged is kept, what cannot be stored is refused and says why, and
// the servers store again when there is room and they were started again.
func TestFullDisk(t *testing.T) {
	if ownNetwork(t) {
		return
	}
	dir := t.TempDir()
	h := newHosts(t, *servers)
	h.disks = true
	for i := range 3 {
		h.disk(storeDir(dir, i))
	}
	w := newWorld(t, dir, &h)

	first := w.hostOfLeader()
	h.fill(storeDir(dir, first))
	w.until("another to lead the log", func() bool { return w.storing() == len(w.boots) && w.hostOfLeader() != first })
	t.Logf("the disk of server %d was full: %d leads now", first, w.hostOfLeader())

	for i := range 3 {
		h.fill(storeDir(dir, i))
	}
	w.until("the log to refuse", func() bool { return w.storing() == 0 })
	before, why := w.model.refusal()
	w.until("emits to be refused", func() (more bool) {
		var n int
		n, why = w.model.refusal()
		return n > before
	})
	t.Logf("refused: %s", why)

	for i := range 3 {
		said := w.boot(i).stderr.String()
		for _, want := range []string{"the store of this node stopped", "the log takes no writes: durable events wait"} {
			if !strings.Contains(said, want) {
				t.Errorf("server %d does not say %q:\n%s", i, want, said)
			}
		}
		h.empty(storeDir(dir, i))
	}
	for i := range 3 {
		w.note(w.boot(i))
		w.boot(i).kill()
	}
	for i := range 3 {
		w.launch(i, dir)
	}
	for i := range 3 {
		w.await("its clients", i)
	}
	w.until("all to store again", func() bool { return w.storing() == len(w.boots) })
	w.until("all clients to be back", w.allBack)
	took := time.Since(w.begun)
	w.settle()
	w.check()
	w.report(took)
}

// storing is the number of servers whose durable events are acknowledged at once.
func (w *world) storing() (n int) {
	for _, p := range w.living() {
		if line := p.ask("store"); len(line) == 2 && word(line, 1) == "" {
			n++
		}
	}
	return n
}

// storeDir is the directory of server i.
func storeDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("server-%d", i)) }

// disk mounts one there.
func (h hosts) disk(dir string) {
	h.t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", diskSize), "tmpfs", dir)
	h.t.Cleanup(func() { h.run("umount", "--lazy", dir) })
}

// fill leaves no room on the disk, and empty undoes it.
func (h hosts) fill(dir string) {
	h.t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, filler), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	for piece := range slices.Values([][]byte{make([]byte, 1<<20), make([]byte, 1<<12)}) {
		for err = nil; err == nil; {
			_, err = f.Write(piece)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			h.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func (h hosts) empty(dir string) {
	h.t.Helper()
	if err := os.Remove(filepath.Join(dir, filler)); err != nil {
		h.t.Fatal(err)
	}
}

// filler is what else takes room on a disk.
const filler = "filler"
