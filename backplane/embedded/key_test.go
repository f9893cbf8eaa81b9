package embedded

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestStoreKey: with a key nothing that is stored can be read in the files; a key
// can be replaced; and a store is never begun anew beside one that the key does
// not open.
func TestStoreKey(t *testing.T) {
	t.Parallel()
	const first, second = "the first key of the test", "the second key of the test"
	dir := t.TempDir()
	with := func(keys ...string) Config { return Config{Name: "a", Store: 1, Dir: dir, Keys: keys} }
	open := func(keys ...string) *Server {
		t.Helper()
		s, err := Start(t.Context(), with(keys...))
		if err != nil {
			t.Fatalf("with %q: %v", keys, err)
		}
		return s
	}
	s := open(first)
	put(t, s, jetstream.FileStorage, 1, "a sentence that is not to be read")
	stop(t, s)
	if hold(t, dir, "not to be read") {
		t.Error("the files have what was stored")
	}
	for want, keys := range map[string][]string{
		"holds a store with another key": {second},
		"holds an encrypted store":       nil,
	} {
		if s, err := Start(t.Context(), with(keys...)); !errors.Is(err, ErrStoreDir) || !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: %v", keys, err)
			if err == nil {
				stop(t, s)
			}
		}
	}
	for _, keys := range [][]string{{second, first}, {second}} {
		s := open(keys...)
		if got := last(t, s); got != "a sentence that is not to be read" {
			t.Errorf("with %q the newest entry is %q", keys, got)
		}
		stop(t, s)
	}
	if _, err := Start(t.Context(), with(first)); !errors.Is(err, ErrStoreDir) {
		t.Errorf("with the key of before: %v", err)
	}
	if hold(t, dir, first) || hold(t, dir, second) {
		t.Error("the files have a key")
	}

	plain := t.TempDir()
	s = start(t, Config{Name: "a", Store: 1, Dir: plain})
	put(t, s, jetstream.FileStorage, 1, "a sentence to be read")
	stop(t, s)
	if !hold(t, plain, "to be read") {
		t.Error("it is not in the files without a key either: the test sees nothing")
	}
	if _, err := Start(t.Context(), Config{Name: "a", Store: 1, Dir: plain, Keys: []string{first}}); !errors.Is(err, ErrStoreDir) {
		t.Errorf("a key for a store that is not encrypted: %v", err)
	}
	for _, c := range []Config{
		{Name: "a", Store: 1, Keys: []string{first}}, {Name: "a", Store: 1, Dir: dir, Keys: []string{"short"}},
		{Name: "a", Store: 1, Dir: dir, Keys: []string{first, second, "a third key of the test"}},
		{
			Name: "a", Store: 1, IsStore: true, Dir: dir, Keys: []string{first, second}, Members: newMesh(nil).config(t, "a").Members,
			Routes: RouteConfig{Listen: "127.0.0.1:0", Secrets: []string{"a secret of the tests"}},
		},
	} {
		if c.Validate() == nil {
			t.Errorf("%d keys in %q are allowed", len(c.Keys), c.Dir)
		}
	}
}

// hold reports whether a text is in a file of a folder.
func hold(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		found = found || bytes.Contains(content, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
