package daemon

import (
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/siod-io/siod/internal/config"
)

// bundles are the scripts of socket.io-client's dist, of all generations.
var bundles = []string{
	"socket.io.js", "socket.io.js.map", "socket.io.min.js", "socket.io.min.js.map",
	"socket.io.slim.js", "socket.io.slim.js.map", "socket.io.dev.js", "socket.io.slim.dev.js",
	"socket.io.esm.min.js", "socket.io.esm.min.js.map",
	"socket.io.msgpack.min.js", "socket.io.msgpack.min.js.map",
}

// Bundle serves the scripts of socket.io-client out of dir below the engine's
// path, as /socket.io/socket.io.js, and gives everything else to next. An empty
// dir returns next alone.
func Bundle(enginePath, dir string, next http.Handler) http.Handler {
	if dir == "" {
		return next
	}
	files := os.DirFS(dir)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, enginePath)
		if !ok || !slices.Contains(bundles, name) || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		if strings.HasSuffix(name, ".map") {
			h.Set("Content-Type", "application/json")
		}
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache") // asked for again, answered 304
		http.ServeFileFS(w, r, files, name)
	})
}

// Files serves the directory that the configuration names as static, or 404
// if it names none. Nothing outside of it is reached, symbolic links included;
// there are no listings, and what begins with a dot is hidden.
func Files(c *config.Loaded) (http.Handler, error) {
	if c.Static == "" {
		return http.NotFoundHandler(), nil
	}
	root, err := os.OpenRoot(c.Static)
	if err != nil {
		return nil, err
	}
	serve := http.FileServerFS(public{root.FS()})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		serve.ServeHTTP(w, r)
	}), nil
}

// public is a file system without what should not be seen.
type public struct{ fs.FS }

// Open implements fs.FS.
func (p public) Open(name string) (fs.File, error) {
	hidden := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." {
			return nil, hidden
		}
	}
	f, err := p.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		if _, err := fs.Stat(p.FS, path.Join(name, "index.html")); err != nil {
			_ = f.Close()
			return nil, hidden
		}
	}
	return f, nil
}
