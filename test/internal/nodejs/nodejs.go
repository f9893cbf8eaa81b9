package nodejs

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// margin is what a test keeps of its time to say how a program was doing when
// it took too long.
const margin = 10 * time.Second

// Setup installs what a part of the tests needs and the machine lacks; see
// test/setup.sh, which says what it installs.
func Setup(t testing.TB, part string) {
	t.Helper()
	if out, err := command(t, "sh", "../setup.sh", part); err != nil {
		t.Fatalf("test/setup.sh %s: %v\n%s", part, err, out)
	} else if out != "" {
		t.Log(out)
	}
}

// Counts are what a program says that it did.
type Counts struct {
	Cells, Skipped   int // cells run = …, skipped = …
	Planted, Noticed int // defects planted = …, noticed = …; zero for a program that plants none
}

// Run runs a program in the test's folder and fails the test if the program
// failed or did not count. Its output goes to the test's log.
func Run(t testing.TB, program string, args ...string) Counts {
	t.Helper()
	out, err := command(t, "node", append([]string{program}, args...)...)
	t.Log(out)
	if err != nil {
		t.Errorf("%s: %v", program, err)
	}
	var c Counts
	if !count(out, `cells run = (\d+), skipped = (\d+)`, &c.Cells, &c.Skipped) {
		t.Errorf("%s did not say how many cells it ran", program)
	}
	count(out, `defects planted = (\d+), noticed = (\d+)`, &c.Planted, &c.Noticed)
	return c
}

// count reads the numbers of a line, and reports whether there is one.
func count(out, pattern string, dst ...*int) bool {
	found := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(out)
	if found == nil {
		return false
	}
	for i, d := range dst {
		*d, _ = strconv.Atoi(found[i+1]) // digits only
	}
	return true
}

func command(t testing.TB, name string, args ...string) (string, error) {
	ctx := t.Context()
	if tt, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, ok := tt.Deadline(); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end.Add(-margin))
			defer cancel()
		}
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = margin / 2 // for pipes that a grandchild keeps open
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return strings.TrimSpace(out.String()), err
}
