package gossip

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"[DEBUG] memberlist: Stream connection from=x\n": "DEBUG Stream connection from=x",
		"[INFO] memberlist: Marking x as failed":         "INFO Marking x as failed",
		"[WARN] memberlist: a] b":                        "WARN a] b",
		"[ERR] memberlist: Decrypt packet failed":        "WARN Decrypt packet failed",
		"[ERROR] memberlist: x":                          "WARN x",
		"Err: Could not set the deadline":                "WARN Err: Could not set the deadline",
		"[ERR] Failed to shutdown transport":             "WARN Failed to shutdown transport",
		"[OTHER] x":                                      "WARN [OTHER] x",
		"":                                               "WARN ",
	} {
		level, text := splitLine([]byte(line))
		if got := level.String() + " " + string(text); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// Lines that anybody can cause do not fill the disk; how many were left out is
// said.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecord()
	now := time.Unix(0, 0)
	l := &lineLog{log: slog.New(slog.NewTextHandler(r, nil)), now: func() time.Time { return now }}
	std := l.logger()
	for range 3 {
		now = now.Add(time.Second)
		for range maxLines + 5 {
			std.Printf("[WARN] memberlist: %s", strings.Repeat("x", 2*maxLine))
			std.Printf("[DEBUG] memberlist: not logged and not counted")
		}
	}
	if n := strings.Count(r.String(), "msg=gossip"); n != 3*maxLines {
		t.Errorf("%d lines", n)
	}
	if n := strings.Count(r.String(), "lines=5"); n != 2 {
		t.Errorf("left out is said %d times", n)
	}
	if l.suppressed() != 15 {
		t.Errorf("%d left out", l.suppressed())
	}
	if strings.Contains(r.String(), strings.Repeat("x", maxLine+1)) {
		t.Error("lines are not cut")
	}
}
