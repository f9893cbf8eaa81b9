package subject_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane/subject"
)

// Emitters in other languages and permissions in configurations hold tokens:
// they never change.
func TestTokens(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]subject.Token{
		"":                             "p",
		"lobby":                        "plobby",
		"Lobby_2-x":                    "pLobby_2-x",
		"/":                            "n",
		"/chat":                        "nchat",
		"//":                           "bLy8",
		"/a/b":                         "bL2EvYg",
		"a.b":                          "bYS5i",
		"*":                            "bKg",
		">":                            "bPg",
		" ":                            "bIA",
		"\x00":                         "bAA",
		"é":                            "bw6k",
		"\xff\xfe":                     "b__4",
		"a b":                          "bYSBi",
		"/chat#abc":                    "bL2NoYXQjYWJj",
		strings.Repeat("x", 128):       subject.Token("p" + strings.Repeat("x", 128)),
		"/" + strings.Repeat("x", 128): subject.Token("n" + strings.Repeat("x", 128)),
		strings.Repeat("x", 129):       "hDsnrM-dFELzdHy6lUgboLyFknFwr7L8rQz60dbNMAb0",
		strings.Repeat(".", 96):        subject.Token("b" + strings.Repeat("Li4u", 32)),
		strings.Repeat(".", 97):        "hYJu5Md0jTKqdI3P4oyW__2Yix91229JNzkLHibSSSgY",
	} {
		got := subject.Encode(name)
		if got != want {
			t.Errorf("%.20q of %d is %s, want %s", name, len(name), got, want)
		}
	}
}

func TestTokenOfEveryName(t *testing.T) {
	t.Parallel()
	of := make(map[subject.Token]string)
	for _, name := range names {
		token := subject.Encode(name)
		checkToken(t, name, token)
		if other, ok := of[token]; ok {
			t.Errorf("%.40q and %.40q are both %s", name, other, token)
		}
		of[token] = name
	}
}

func checkToken(t rapid.TB, name string, token subject.Token) {
	t.Helper()
	if len(token) > subject.MaxToken || strings.Contains(string(token), ".") || !publishable(string(token)) {
		t.Fatalf("%q has the token %q", name, token)
	}
	if !token.Is(name) || token.Is(name+"x") || token.Is("x"+name) {
		t.Fatalf("%q: Is is wrong about %q", token, name)
	}
	back, ok := token.Decode()
	if ok == token.Hashed() || ok && back != name || !ok && back != "" {
		t.Fatalf("%q has the token %q, which decodes as %q, %v; hashed %v", name, token, back, ok, token.Hashed())
	}
	if token.Hashed() != subject.Hashed(name) || token.Hashed() && len(name) <= 96 {
		t.Fatalf("%q is hashed", name)
	}
}

func TestPropertyTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyName().Draw(t, "a"), anyName().Draw(t, "b")
		ta, tb := subject.Encode(a), subject.Encode(b)
		checkToken(t, a, ta)
		if (ta == tb) != (a == b) || ta.Is(b) != (a == b) {
			t.Fatalf("%q is %s, %q is %s", a, ta, b, tb)
		}
	})
}

// A name has one token. What else decodes to it, loosely read, is none.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, token := range []subject.Token{
		"", "x", "P", "all", "s", "*", ">", "pa.b", "pa b", "p\x00", "pé", "p*", "n/", "n.", "nchat/room",
		"b",        // the empty name is p
		"bcg",      // r, which is plain
		"bL2NoYXQ", // /chat, which is nchat
		"bLw",      // /
		"bLy9",     // bits left over
		"bLg==", "bLy8\n", "b\nLy8", "bLy8\r", "bL", "b+/8", "bLy8.",
		subject.Token("b" + strings.Repeat("Li4u", 33)),
		subject.Token("p" + strings.Repeat("x", 129)),
		subject.Token("n" + strings.Repeat("x", 129)),
		"h", "hLrqYLTuq6bnNVMeMHKv9J7gHl5sLAvFrSgKM1ZUKQU",
		subject.Encode(strings.Repeat("x", 129)),
		subject.Token(strings.Repeat("p", 1<<20)),
	} {
		if name, ok := token.Decode(); ok || name != "" {
			t.Errorf("%.40q decodes as %.40q", token, name)
		}
	}
}
