package target

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
)

// Result is how a process ended that was not meant to serve.
type Result struct {
	Code   int
	Stdout string
	Stderr string
}

// Run runs the program with exactly these arguments until it ends by itself,
// for arguments that it must refuse. One that goes on running is killed and
// fails the test.
func Run(t testing.TB, args ...string) Result {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%v went on running; it had said:\n%s%s", args, stdout.String(), stderr.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}
