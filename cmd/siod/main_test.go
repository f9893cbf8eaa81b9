package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m, goleak.Find}, map[string]func(){"siod": main})
}

// leakChecked looks for goroutines left over when all tests have run.
type leakChecked struct {
	*testing.M
	leaks func(...goleak.Option) error
}

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := m.leaks(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
