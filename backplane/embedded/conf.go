package embedded

import (
	"fmt"
	"strconv"
	"strings"
)

// conf writes the configuration language of nats-server.
type conf struct{ strings.Builder }

func (b *conf) raw(line string)       { b.WriteString(line + "\n") }
func (b *conf) set(key, value string) { b.raw(key + ": " + quote(value)) }
func (b *conf) num(key string, n int) { b.raw(key + ": " + strconv.Itoa(n)) }
func (b *conf) open(what string)      { b.raw(opened(what)) }
func (b *conf) close()                { b.raw("}") }
func (b *conf) closeList()            { b.raw("]") }
func (b *conf) list(key string, of []string) {
	quoted := make([]string, len(of))
	for i, s := range of {
		quoted[i] = quote(s)
	}
	b.raw(key + ": [" + strings.Join(quoted, ", ") + "]")
}

func opened(what string) string {
	if strings.HasSuffix(what, "[") {
		return what
	}
	return what + " {"
}

// listen writes an address; port 0 is any, which the server calls -1.
func (b *conf) listen(addr string) {
	host, port, err := splitListen(addr)
	if err != nil || port == 0 {
		port = -1
	}
	if host != "" {
		b.set("host", host)
	}
	b.num("port", port)
}

func (b *conf) user(name, password string, p Permissions, inProcess bool) {
	b.raw("{")
	b.set("user", name)
	b.set("password", password)
	if inProcess {
		b.list("allowed_connection_types", []string{"IN_PROCESS"})
	}
	if len(p.Publish)+len(p.Subscribe) > 0 {
		b.open("permissions")
		b.list("publish", p.Publish)
		b.list("subscribe", p.Subscribe)
		if p.Responses {
			b.raw("allow_responses: true")
		}
		b.close()
	}
	b.close()
}

// quote writes a string of the language: in double quotes, with everything but
// graphic ASCII as its bytes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
