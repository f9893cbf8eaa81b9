//go:build !unix

package embedded

import (
	"os"
	"path/filepath"
)

// lockDir opens a file only: what claims a directory on this system has not
// been written.
func lockDir(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "siod-store.lock"), os.O_CREATE|os.O_RDWR, 0o600)
}
