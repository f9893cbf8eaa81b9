package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"
)

// markName is the file in the store directory that says whose it is, and that
// its set of store nodes came together once.
const markName = "siod-store.json"

// mark is the content of that file.
type mark struct {
	Version int      `json:"version"`
	Name    string   `json:"name"`
	Cluster string   `json:"cluster"`
	Stores  int      `json:"stores"`
	Mesh    bool     `json:"mesh"`          // servers that stand alone store in another form
	Routes  []string `json:"routes"`        // of the store nodes, as last seen
	Key     string   `json:"key,omitempty"` // by which the key is known again, if there is one
}

const markVersion = 1

// openDir finds the store directory, or makes one that ends with the server, and
// claims it.
func (s *Server) openDir() (err error) {
	s.dir = s.cfg.Dir
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "siod-store-"); err != nil {
			return fmt.Errorf("embedded: temporary store: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("embedded: store: %w", err)
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrStoreDir, s.dir, err)
	}
	if err = s.checkMark(); err != nil {
		s.closeDir()
	}
	return err
}

// checkMark compares what the directory says with what the server is to be.
func (s *Server) checkMark() error {
	m, err := readMark(s.dir)
	if err != nil || m == nil {
		return err
	}
	refuse := func(what string, got, want any) error {
		return fmt.Errorf("%w: %s holds the store of %s %v, not of %v; use another directory, or empty it to begin anew",
			ErrStoreDir, s.dir, what, got, want)
	}
	switch {
	case m.Version > markVersion:
		return refuse("a later version,", m.Version, markVersion)
	case m.Cluster != s.cfg.Cluster:
		return refuse("cluster", m.Cluster, s.cfg.Cluster)
	case m.Name != s.cfg.Name:
		return refuse("server", m.Name, s.cfg.Name)
	case m.Stores != s.cfg.Store:
		return refuse("a set of", m.Stores, s.cfg.Store)
	case m.Mesh != s.cfg.mesh():
		return refuse("a server with routes:", m.Mesh, s.cfg.mesh())
	}
	return s.checkKey(m)
}

// checkKey refuses keys that nats-server could read nothing with: it would begin
// anew beside what is there.
func (s *Server) checkKey(m *mark) error {
	switch keys := s.cfg.Keys; {
	case m.Key == "" && len(keys) > 0:
		return fmt.Errorf("%w: %s holds a store that is not encrypted; leave the key out, or use another directory", ErrStoreDir, s.dir)
	case m.Key != "" && len(keys) == 0:
		return fmt.Errorf("%w: %s holds an encrypted store; its key is needed", ErrStoreDir, s.dir)
	case m.Key != "" && !slices.ContainsFunc(keys, func(k string) bool { return fingerprint(k) == m.Key }):
		what := "name that one as well, behind the new one"
		if s.cfg.mesh() {
			what = "start it with that one, or empty the directory: the others bring what was there"
		}
		return fmt.Errorf("%w: %s holds a store with another key; %s", ErrStoreDir, s.dir, what)
	}
	return nil
}

// fingerprint is by what a key is known again. It tells nothing of the key.
func fingerprint(key string) string { return derive(key, "", "mark of a store")[:16] }

// closeDir gives the directory up, and removes a temporary one.
func (s *Server) closeDir() {
	if s.lock != nil {
		_ = s.lock.Close() // gives up the lock; nothing was written to it
		s.lock = nil
	}
	if s.dir != "" && s.cfg.Dir == "" {
		_ = os.RemoveAll(s.dir)
	}
}

// remember notes in the directory that the set of store nodes came together,
// and where they are.
func (s *Server) remember(routes []string) error {
	if s.cfg.Dir == "" {
		return nil
	}
	m := mark{
		Version: markVersion, Name: s.cfg.Name, Cluster: s.cfg.Cluster,
		Stores: s.cfg.Store, Mesh: s.cfg.mesh(), Routes: routes,
	}
	if len(s.cfg.Keys) > 0 {
		m.Key = fingerprint(s.cfg.Keys[0])
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("embedded: %s: %w", markName, err)
	}
	if err := replaceFile(filepath.Join(s.dir, markName), text); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}

// readMark returns nil without an error if there is none.
func readMark(dir string) (*mark, error) {
	text, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var m mark
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStoreDir, err)
	}
	return &m, nil
}

// replaceFile writes a file so that after a crash either the old or the new one
// is there, whole.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
