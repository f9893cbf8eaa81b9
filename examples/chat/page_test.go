package chat

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func ask(h http.Handler, method, path, host string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	h.ServeHTTP(w, r)
	return w
}

// The page runs nothing and loads nothing but its own files and the client.
func TestPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		config           PageConfig
		script, policy   string
		path, notPresent string
	}{
		{
			"from a network of caches", PageConfig{},
			`<script defer src="` + ClientURL + `" integrity="` + strings.ReplaceAll(ClientIntegrity, "+", "&#43;") + `" crossorigin="anonymous"></script>`,
			"script-src 'self' " + ClientURL + ";", `data-path="/socket.io/"`, "\x00",
		},
		{
			"from this server", PageConfig{Path: "/live/", Client: "/live/socket.io.js"},
			`<script defer src="/live/socket.io.js"></script>`, "script-src 'self';", `data-path="/live/"`, "https://",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := Page(c.config)
			w := ask(h, "GET", "/", "chat.example:3000")
			body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
			for _, want := range []string{c.script, c.path} {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in the page", want)
				}
			}
			for _, want := range []string{"default-src 'none'", c.policy, "style-src 'self';", "connect-src 'self' ws://chat.example:3000 wss://chat.example:3000;", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("no %s in the policy %s", want, policy)
				}
			}
			if strings.Contains(body, c.notPresent) || strings.Contains(policy, "unsafe") {
				t.Errorf("the page goes elsewhere, or the policy is loose: %s", policy)
			}
			if regexp.MustCompile(`(?i)<script(>| [^>]*>[^<])| on[a-z]+=|<style| style=`).MatchString(body) {
				t.Error("the page has scripts or styles inside, which its policy forbids")
			}
			// All that it refers to is there.
			for _, m := range regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllStringSubmatch(body, -1) {
				if m[1] == c.config.Client {
					continue
				}
				if w := ask(h, "GET", m[1], "h"); w.Code != http.StatusOK || w.Header().Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
				}
			}
		})
	}
}

func TestPageAnswersNothingElse(t *testing.T) {
	t.Parallel()
	h := Page(PageConfig{})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", "/", 200}, {"GET", "/chat.js", 200}, {"GET", "/chat.css", 200},
		{"GET", "/index.html", 404}, {"GET", "/page/", 404}, {"GET", "/chat.go", 404}, {"POST", "/", 405},
	} {
		if w := ask(h, c.method, c.path, "h"); w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.status)
		}
	}
}

// A Host that a client made up does not get into the policy.
func TestHostIsChecked(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"a b", "x; script-src *", "h\"", "", "h:80;x", "[::1]:80"} {
		policy := ask(Page(PageConfig{}), "GET", "/", host).Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "connect-src 'self';") {
			t.Errorf("%q: %s", host, policy)
		}
	}
}

// Every element that the script looks for exists in the page.
func TestScriptAndPageAgree(t *testing.T) {
	t.Parallel()
	h := Page(PageConfig{})
	body, script := ask(h, "GET", "/", "h").Body.String(), ask(h, "GET", "/chat.js", "h").Body.String()
	ids := regexp.MustCompile(`\$\("([^"]+)"\)`).FindAllStringSubmatch(script, -1)
	if len(ids) < 20 {
		t.Fatalf("only %d", len(ids))
	}
	for _, m := range ids {
		if !strings.Contains(body, `id="`+m[1]+`"`) {
			t.Errorf("no element %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:for|href|list|aria-labelledby)="#?([a-z-]+)"`).FindAllStringSubmatch(body, -1) {
		if !strings.Contains(body, `id="`+m[1]+`"`) {
			t.Errorf("something refers to %s, which is not there", m[1])
		}
	}
	if strings.Contains(script, "innerHTML") || strings.Contains(script, "eval(") {
		t.Error("the script makes code or markup of texts")
	}
}

// The digest has the form that browsers take; a test of test/browser compares it
// with the file.
func TestIntegrity(t *testing.T) {
	t.Parallel()
	digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(ClientIntegrity, "sha384-"))
	if err != nil || len(digest) != 48 {
		t.Errorf("%s: %d bytes (%v)", ClientIntegrity, len(digest), err)
	}
}
