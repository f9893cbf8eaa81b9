package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/siod-io/siod/transport"
)

// check reports what is wrong with values that are right one by one.
func (l *Loaded) check(defaults *Config, e *Error) {
	bad := func(key, format string, args ...any) { e.add(l.spelling(key), format, args...) }
	for _, at := range [][2]string{{"listen", l.Listen}, {"internal_listen", l.InternalListen}} {
		if key, addr := at[0], at[1]; addr != "" && !isAddress(addr) {
			bad(key, "%q is not an address: write host:port, such as 127.0.0.1:3000 or :3000", addr)
		}
	}
	if l.Listen == l.InternalListen && !strings.HasSuffix(l.Listen, ":0") {
		bad("internal_listen", "%s is the address for clients: choose another one", l.InternalListen)
	}
	if !strings.HasPrefix(l.Path, "/") || !strings.HasSuffix(l.Path, "/") || l.Path == "/" || strings.ContainsAny(l.Path, " ?#%") {
		bad("path", "%q is not a path: write one with both slashes, such as /socket.io/", l.Path)
	}
	for _, n := range l.Namespaces {
		if !strings.HasPrefix(n, "/") || strings.ContainsAny(n, ",?") || strings.Contains(strings.TrimSuffix(n, "*"), "*") || len(n) > int(l.MaxNamespace) || !utf8.ValidString(n) {
			bad("namespaces", "%q is not a namespace: write /, /name or /begin*, at most %v and without , or ?", n, l.MaxNamespace)
		}
	}
	for _, at := range [][2]string{{"static", l.Static}, {"client_bundle", l.ClientBundle}} {
		key, dir := at[0], at[1]
		if dir == "" {
			continue
		}
		if info, err := os.Stat(dir); err != nil {
			bad(key, "cannot read %s: %v", dir, reason(err))
		} else if !info.IsDir() {
			bad(key, "%s is not a directory", dir)
		} else if key == "client_bundle" && !hasScript(dir) {
			bad(key, "%s has no socket.io.js: name the directory dist of the npm package socket.io-client", dir)
		}
	}
	for _, p := range l.TrustedProxies {
		if _, err := parsePrefix(p); err != nil {
			bad("trusted_proxies", "%q is not an address or a network, such as 10.0.0.0/8", p)
		}
	}
	// The default is not in effect either, but nobody counts on it.
	if l.HandshakeRate != defaults.HandshakeRate && l.HandshakeRate > 0 && !l.knowsAddresses() {
		bad("handshake_rate", "needs trusted_proxies, or direct if no proxy stands before the server: clients cannot be told apart otherwise")
	}
	for _, o := range l.CORS.Origins {
		if err := (transport.Config{CORS: transport.CORS{Origins: []string{o}}}).Validate(); err != nil {
			bad("cors.origins", "%q is not an origin: write scheme and host, such as https://app.example.com, https://*.example.com, or *", o)
		}
		if o == "*" && l.CORS.Credentials && !l.CORS.InsecureAnyOrigin {
			bad("cors.origins", "* together with cors.credentials lets every site act as its visitors: list the origins, or set cors.insecure_any_origin")
		}
	}
	l.checkCluster(bad)
	if l.Cookie.SameSite == "none" && !l.Cookie.Secure {
		bad("cookie.same_site", "browsers refuse none without cookie.secure: set that too")
	}
	if l.Cookie.Name != "" && !isToken(l.Cookie.Name) {
		bad("cookie.name", "%q is not the name of a cookie", l.Cookie.Name)
	}
}

func hasScript(dir string) bool {
	for _, name := range []string{"socket.io.js", "socket.io.min.js"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// spelling is where an option was set, or its flag if it has the default.
func (l *Loaded) spelling(key string) string {
	if w := l.where[key]; w != "" {
		return w
	}
	return "--" + theTable().byKey[key].Flag
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n <= 65535
}

// isToken reports whether s is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
			return false
		}
	}
	return s != ""
}

// quote shows a value that may be long or odd.
func quote(raw any) string {
	const most = 80
	s, ok := raw.(string)
	if !ok {
		s = fmt.Sprint(raw)
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
