package wire_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/protocol"
)

// Files that exist are never written again: processes of the release that made
// them may be running.
var golden = flag.Bool("golden", false, "write the golden files that are missing")

const goldenDir = "testdata/golden/v1"

// goldens are the messages of which there is a file each, by its name.
func goldens() map[string][]byte {
	join := wire.Message{
		Envelope: backplane.Envelope{
			Kind: backplane.KindOperation, Op: 2, Origin: "bootA", ID: 9, Namespace: "/",
			Target: backplane.Target{Rooms: []string{"a", "b"}, Except: []string{"c"}},
			Data:   []byte("new room"), Timeout: 5 * time.Second,
		},
		Counter: 1, Baseline: true,
	}
	binary := wire.Message{
		Envelope: backplane.Envelope{
			Kind: backplane.KindEvent, Flags: backplane.FlagOrdered, Origin: "emitter1", Namespace: "/",
			Frames: protocol.Frames{
				Text:   []byte(`52-["upload",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`),
				Binary: [][]byte{{}, []byte("\x00\x01\xfe\xff")},
			},
		},
	}
	hostile := wire.Message{
		Envelope: backplane.Envelope{
			Kind: backplane.KindEvent, Origin: "bootA", ID: 3, Namespace: "/é.*.>",
			Target: backplane.Target{Rooms: []string{"", "a b", "\x00", "\r\n", "\xff\xfe", strings.Repeat("x", 256)}},
			Frames: protocol.Frames{Text: []byte(`2/é.*.>,["e"]`)},
		},
		Name: strings.Repeat("x", 256),
	}
	files := map[string][]byte{
		// As a later release may write: fields and flags that are not known, and a
		// kind.
		"later": message(number(1, 6), number(2, 1<<20|1), text(6, "/chat"), text(30, "something new"), number(31, 1<<62), field(32, 1, 1, 2, 3, 4, 5, 6, 7, 8), field(33, 5, 1, 2, 3, 4)),
		// As another encoder may: what is absent, long numbers, another order.
		"loose": message(text(9, `2["e"]`), text(12, ""), text(7, "b"), field(5, 0, 0x85, 0x80, 0x80, 0x00), number(13, 0), text(6, "/"), text(7, "a"), number(1, 1)),
	}
	for name, m := range map[string]*wire.Message{
		"whole": whole(), "chat": chat(), "join": &join, "binary": &binary, "names": &hostile,
		"empty": {}, "done": {Sender: "bootB", Final: true, Replies: 3},
		"reply": {Envelope: backplane.Envelope{Kind: backplane.KindReply, Origin: "bootB", ID: 4, Data: []byte("12 sockets")}, Counter: 2},
		"break": {Envelope: backplane.Envelope{Kind: backplane.KindBreak, Flags: backplane.FlagOrdered, Origin: "dead", Namespace: "/"}, Sender: "bootB"},
		"most":  {Envelope: backplane.Envelope{Kind: 255, Op: 255, Flags: 1<<16 - 1, ID: 1<<64 - 1, Timeout: 1<<63 - 1}, Counter: 1<<64 - 1, Replies: 1<<64 - 1},
	} {
		files[name] = m.Append(nil)
	}
	return files
}

// describe writes a message in words.
func describe(m *wire.Message) string {
	var b strings.Builder
	line := func(name string, v any) {
		if s := fmt.Sprint(v); s != "0" && s != "false" && s != `""` && s != "0s" {
			fmt.Fprintf(&b, "%s: %s\n", name, s)
		}
	}
	quoted := func(name string, v ...string) {
		for _, s := range v {
			fmt.Fprintf(&b, "%s: %q\n", name, s)
		}
	}
	if m.Kind != 0 {
		line("kind", m.Kind)
	}
	line("flags", uint16(m.Flags))
	line("op", m.Op)
	line("origin", fmt.Sprintf("%q", m.Origin))
	line("id", m.ID)
	line("namespace", fmt.Sprintf("%q", m.Namespace))
	quoted("room", m.Target.Rooms...)
	quoted("except", m.Target.Except...)
	line("text", fmt.Sprintf("%q", m.Frames.Text))
	for _, a := range m.Frames.Binary {
		quoted("binary", string(a))
	}
	line("data", fmt.Sprintf("%q", m.Data))
	line("key", fmt.Sprintf("%q", m.Key))
	line("counter", m.Counter)
	line("baseline", m.Baseline)
	line("sender", fmt.Sprintf("%q", m.Sender))
	line("timeout", m.Timeout)
	line("traceparent", fmt.Sprintf("%q", m.Traceparent))
	line("final", m.Final)
	line("replies", m.Replies)
	line("name", fmt.Sprintf("%q", m.Name))
	return b.String()
}

// What earlier releases wrote is read as it was meant, and this one writes the
// same bytes.
func TestGolden(t *testing.T) {
	t.Parallel()
	made := goldens()
	if *golden {
		for name, data := range made {
			writeGolden(t, name, data)
		}
	}
	paths, err := filepath.Glob(filepath.Join(goldenDir, "*.bin"))
	if err != nil || len(paths) < len(made) {
		t.Fatalf("%d files for %d messages (%v); -golden writes those that are missing", len(paths), len(made), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".bin")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(path, ".bin") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			m, err := wire.Decode(data, backplane.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), describe(m)); d != "" {
				t.Errorf("read differently (-then +now):\n%s", d)
			}
			if now, ok := made[name]; ok && !bytes.Equal(now, data) {
				t.Errorf("written differently:\n%x\nthen:\n%x", now, data)
			}
		})
	}
}

func writeGolden(t *testing.T, name string, data []byte) {
	t.Helper()
	m, err := wire.Decode(data, backplane.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for ext, content := range map[string][]byte{".bin": data, ".txt": []byte(describe(m))} {
		f, err := os.OpenFile(filepath.Join(goldenDir, name+ext), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			_, err = f.Write(content)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
