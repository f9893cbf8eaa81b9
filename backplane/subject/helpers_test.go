package subject_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// names are what users may call a room, a namespace, an event or an id, and
// what the words and forms of subjects look like.
var names = []string{
	"", "r", "R", "lobby", "/", "/chat", "//", "/chat/room", "chat/", "a/b", "/r", "_", "-", "p", "n", "b", "h", "plobby", "nchat",
	".", "..", "a.b", ".a", "a.", "*", ">", "a.*", "a.>", "*.*", ">.>", "a*", "a>",
	" ", "a b", " a", "a ", "\t", "a\tb", "\r\n", "a\r\nPUB x 0\r\n", "\x00", "a\x00", "\x00a", "\x7f", "\x1b[31m",
	"all", "s", "sio", "AA", "Gi", "_INBOX.x", "$SYS.>", "$JS.API.>", "$KV.x", "#", "/chat#tokenA0123456789", "tokenA0123456789abcdef",
	"é", "e\u0301", "日本語", "🙂", "\u202eabc", "\u00a0", "\ufeff", "\xff\xfe", "\xc3", "\ud7ff", "ÄÖÜ", "ß", "İ", "ﬀ",
	strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 127), strings.Repeat("x", 128), strings.Repeat("x", 129),
	strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("x", 257), strings.Repeat("x", backplane.MaxRoom),
	"/" + strings.Repeat("x", 127), "/" + strings.Repeat("x", 128), "/" + strings.Repeat("x", 129),
	strings.Repeat(".", 96), strings.Repeat(".", 97), strings.Repeat(".", 256), strings.Repeat("é", 48), strings.Repeat("é", 49), strings.Repeat("\x00", 256),
	"h" + strings.Repeat("A", 43), strings.Repeat("A", 43), strings.Repeat("a.", 20_000),
}

// anyName draws one of the names above, one that differs little from another,
// or any bytes.
func anyName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(names),
		rapid.StringMatching(`[a-bA/.*> \x00é_-]{0,5}`),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 90, 140), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

// anyAddress draws an address of any scope. It need not be usable.
func anyAddress() *rapid.Generator[backplane.Address] {
	return rapid.Custom(func(t *rapid.T) backplane.Address {
		ns, name := anyName().Draw(t, "namespace"), anyName().Draw(t, "name")
		switch scope := backplane.Scope(rapid.IntRange(1, 8).Draw(t, "scope")); scope {
		case backplane.ScopeNamespace, backplane.ScopeRequests, backplane.ScopeGateway:
			return backplane.Address{Scope: scope, Namespace: ns}
		case backplane.ScopeNode:
			return backplane.Node(name)
		case backplane.ScopeHome:
			return backplane.Home(backplane.HomeOf(name + "tokenA"))
		default:
			return backplane.Address{Scope: scope, Namespace: ns, Name: name}
		}
	})
}

func space(t testing.TB) subject.Space {
	t.Helper()
	s, err := subject.New("siod")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publishable reports what a NATS server in pedantic mode asks of a subject to
// publish to, and that it is short and printable.
func publishable(s string) bool {
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || token == "*" || token == ">" {
			return false
		}
	}
	return len(s) < subject.MaxLen && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && !('a' <= r && r <= 'z') && !('A' <= r && r <= 'Z') && !('0' <= r && r <= '9')
	})
}

// matches is NATS' own rule: "*" is any one token, ">" one or more to the end.
func matches(pattern, s string) bool {
	p, tokens := strings.Split(pattern, "."), strings.Split(s, ".")
	for i, t := range p {
		switch {
		case t == ">":
			return len(tokens) > i
		case i >= len(tokens) || t != "*" && t != tokens[i]:
			return false
		}
	}
	return len(p) == len(tokens)
}
