package daemon

import (
	"os"
	"strings"
	"testing"
)

func TestLogForm(t *testing.T) {
	t.Parallel()
	for flag, begin := range map[string]string{"auto": `{"time"`, "json": `{"time"`, "text": `time=`} {
		var b buffer
		c := read(t, "--log-format="+flag)
		NewLogger(&b, c, NewLevels(c)).Info("hello")
		if !strings.HasPrefix(b.String(), begin) {
			t.Errorf("%s: %s", flag, b.String())
		}
	}
}

// Only a terminal is written to as one; a file is not.
func TestIsTerminal(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) || isTerminal(&buffer{}) {
		t.Error("a file is taken for a terminal")
	}
	tty, err := os.Open("/dev/ptmx")
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if !isTerminal(tty) {
		t.Error("a terminal is not")
	}
}

// The transport has a level of its own, also through With and groups, and both
// follow a change at once.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	var b buffer
	c := read(t, "--log-level=warn", "--log-transport=debug")
	l := NewLevels(c)
	server := NewLogger(&b, c, l).With("node", "n").WithGroup("g")
	transport := l.ForTransport(NewLogger(&b, c, l)).With("a", 1)
	say := func() string {
		b.Reset()
		server.Info("server-info", "k", 1)
		server.Warn("server-warn")
		transport.Debug("transport-debug")
		transport.Warn("transport-warn")
		var said []string
		for _, s := range []string{"server-info", "server-warn", "transport-debug", "transport-warn"} {
			if strings.Contains(b.String(), s) {
				said = append(said, s)
			}
		}
		return strings.Join(said, " ")
	}
	if got, want := say(), "server-warn transport-debug transport-warn"; got != want {
		t.Errorf("said %s, want %s", got, want)
	}
	b.expect(t, `"component":"transport"`)
	b.expect(t, `"node":"n"`)
	l.Set(read(t, "--log-level=info"))
	if got, want := say(), "server-info server-warn transport-warn"; got != want {
		t.Errorf("after a change: said %s, want %s", got, want)
	}
}
