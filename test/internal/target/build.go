package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// build makes the program once and gives its path.
var build = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "siod-target-")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "target")
	args := []string{"build", "-o", bin}
	if Race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./loadtest/target")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./loadtest/target: %w\n%s", err, out)
	}
	return bin, nil
})

// built is the folder to remove at the end.
var built string

// Exit removes what was built and ends the test binary; it is for
// goleak.Cleanup.
func Exit(code int) {
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the test")
		}
		dir = up
	}
}
