package transport

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/siod-io/siod/protocol/engineio"
)

var eventNames = [eventCount]string{
	evGet: "get", evGetEnd: "get-end", evGetAbort: "get-abort", evPost: "post", evPostEnd: "post-end",
	evData: "message", evPing: "ping", evPong: "pong", evPacketClose: "close-packet", evParseError: "bad-packet",
	evProbeOpen: "probe-open", evProbePing: "probe-ping", evProbeUpgrade: "probe-upgrade", evProbeEnd: "probe-end",
	evUpgradeTimeout: "upgrade-timeout", evEnd: "socket-end", evFail: "fail", evClose: "server-close",
	evTimer: "timer", evTimerBusy: "timer-busy", evNoop: "noop-soon", evResume: "resume",
}

var actionNames = []string{
	"reject", "try-again", "3probe", "switch", "drop-probe", "send-ping", "send-pong", "answer-noop", "answer-close",
	"answer-reject", "hold", "noop-soon", "arm-upgrade", "notify", "finish-socket", "close-socket", "remove",
}

func (a actions) String() string {
	var names []string
	for i, n := range actionNames {
		if a&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, " ")
}

// TestLifecycle plays the scripts of testdata/lifecycle. A script opens a
// session and then has one line for each event: the time since the start, the
// name of the event, and perhaps the reason of an end; "queue" and "drain" say
// that from now on messages wait, and that none do. The answer repeats the line with the actions, and says when the timer is wanted, and how it ended.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata/lifecycle", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "session" {
				d.Fatalf(t, "unknown directive %s", d.Cmd)
			}
			var rev int
			var transport string
			d.ScanArgs(t, "rev", &rev)
			d.ScanArgs(t, "on", &transport)
			l := lifecycle{}
			l.start(engineio.Revision(rev), transport == WebSocket,
				&timing{interval: 25 * time.Second, timeout: 20 * time.Second, linger: 30 * time.Second}, 0, 1)
			var out strings.Builder
			fmt.Fprintf(&out, "%-34s due %v\n", "", l.due)
			for line := range strings.Lines(d.Input) {
				playLine(t, d, &l, strings.TrimSpace(line), &out)
			}
			return out.String()
		})
	})
}

func playLine(t *testing.T, d *datadriven.TestData, l *lifecycle, line string, out *strings.Builder) {
	t.Helper()
	f := strings.SplitN(line, " ", 3)
	at, err := time.ParseDuration(f[0])
	if err != nil || len(f) < 2 {
		d.Fatalf(t, "not <time> <event> [<reason>]: %q", line)
	}
	if f[1] == "queue" || f[1] == "drain" {
		l.queued = f[1] == "queue"
		fmt.Fprintln(out, line)
		return
	}
	ev := eventCount
	for i, n := range eventNames {
		if n == f[1] {
			ev = event(i)
		}
	}
	if ev == eventCount {
		d.Fatalf(t, "unknown event %q", f[1])
	}
	var why Reason
	if len(f) == 3 {
		why = Reason(f[2])
	}
	due, open := l.due, l.phase == phaseOpen
	act := l.step(ev, at, why)
	fmt.Fprintf(out, "%-34s %v", line, act)
	if l.due != due && l.due != 0 {
		fmt.Fprintf(out, ", due %v", l.due)
	}
	if open && l.phase != phaseOpen {
		fmt.Fprintf(out, ", ended: %s", l.reason)
	}
	out.WriteByte('\n')
}
