package daemon

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// tree makes files in a fresh directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func ask(h http.Handler, method, path string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret": "secret"})
	dir := tree(t, map[string]string{
		"index.html": "<p>home", "app.js": "app", "sub/index.html": "<p>sub", "bare/file.txt": "file", ".env": "secret", ".git/config": "secret",
	})
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	c := read(t)
	c.Static = dir
	h, err := Files(c)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/": 200, "/app.js": 200, "/sub/": 200, "/bare/file.txt": 200,
		"/bare/": 404, "/nothing": 404, "/.env": 404, "/.git/config": 404, "/sub/../.env": 404, "/%2e%2e/secret": 404,
	} {
		if r := ask(h, http.MethodGet, path); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
	if r := ask(h, http.MethodGet, "/link"); r.StatusCode == 200 {
		t.Errorf("a link out of the directory was followed: %q", body(t, r))
	}
	r := ask(h, http.MethodGet, "/app.js")
	if r.Header.Get("X-Content-Type-Options") != "nosniff" || body(t, r) != "app" {
		t.Errorf("app.js: %v", r.Header)
	}
	if r := ask(h, http.MethodPost, "/app.js"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", r.StatusCode)
	}
}

func TestNoFiles(t *testing.T) {
	t.Parallel()
	h, err := Files(read(t))
	if err != nil {
		t.Fatal(err)
	}
	if r := ask(h, http.MethodGet, "/"); r.StatusCode != 404 {
		t.Errorf("%d", r.StatusCode)
	}
	c := read(t)
	c.Static = filepath.Join(t.TempDir(), "nothing")
	if _, err := Files(c); err == nil {
		t.Error("a directory that does not exist is served")
	}
}

// The client's scripts, and nothing else of the directory, are served below the
// endpoint; all else goes on.
func TestBundle(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"socket.io.js": "client", "socket.io.min.js.map": "{}", "package.json": "private"})
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := Bundle("/socket.io/", dir, next)
	for _, c := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/socket.io/socket.io.js", 200, "text/javascript; charset=utf-8"},
		{"HEAD", "/socket.io/socket.io.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/socket.io/socket.io.min.js.map", 200, "application/json"},
		{"GET", "/socket.io/socket.io.esm.min.js", 404, ""},
		{"GET", "/socket.io/package.json", 418, ""},
		{"GET", "/socket.io/../package.json", 418, ""},
		{"GET", "/socket.io/", 418, ""},
		{"POST", "/socket.io/socket.io.js", 418, ""},
		{"GET", "/socket.io.js", 418, ""},
	} {
		r := ask(h, c.method, c.path)
		if r.StatusCode != c.status || c.status == 200 && r.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	if r := ask(Bundle("/socket.io/", "", next), "GET", "/socket.io/socket.io.js"); r.StatusCode != 418 {
		t.Errorf("without a directory: %d", r.StatusCode)
	}
}
