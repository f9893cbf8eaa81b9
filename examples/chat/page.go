package chat

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
)

//go:embed page
var page embed.FS

var index = template.Must(template.ParseFS(page, "page/index.html"))

// The client as a public network of caches serves it out of the npm package,
// and the digest of the very file (Subresource Integrity): a browser refuses
// any other.
const (
	ClientVersion   = "4.8.4"
	ClientURL       = "https://cdn.jsdelivr.net/npm/socket.io-client@" + ClientVersion + "/dist/socket.io.min.js"
	ClientIntegrity = "sha384-fBrXvbDtHoeKWJ/hcA6M+YGueiDW+h45I7V6F2kD1S8bOkrF9rZYPLVkCR6BLR/1"
)

// PageConfig configures Page.
type PageConfig struct {
	// Path is the path of the Socket.IO endpoint. Empty means "/socket.io/".
	Path string

	// Client is the address of the JavaScript client on this server. Empty
	// means ClientURL, which needs the internet.
	Client string
}

// Page serves the chat's page at "/", with what belongs to it, and 404
// elsewhere. Its content security policy lets in nothing but its own files,
// connections to its own server, and the client.
func Page(c PageConfig) http.Handler {
	if c.Path == "" {
		c.Path = "/socket.io/"
	}
	data := struct {
		PageConfig
		Integrity string
	}{PageConfig: c}
	source := ""
	if data.Client == "" {
		data.Client, data.Integrity = ClientURL, ClientIntegrity
		source = " " + ClientURL
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		if err := index.ExecuteTemplate(&b, "index.html", data); err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'"+source+
			"; style-src 'self'; img-src data:; connect-src 'self'"+sockets(r.Host)+
			"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(b.Len()))
		h.Set("Cache-Control", "no-cache")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b.Bytes())
	})
	for _, name := range []string{"chat.css", "chat.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			http.ServeFileFS(w, r, page, "page/"+name)
		})
	}
	return mux
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]+)?$`)

// sockets names the page's own server for WebSocket, which older browsers do
// not take 'self' to mean.
func sockets(host string) string {
	if !hostPattern.MatchString(host) {
		return ""
	}
	return " ws://" + host + " wss://" + host
}
