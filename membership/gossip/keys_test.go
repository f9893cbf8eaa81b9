package gossip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/siod-io/siod/membership"
)

func ring(t *testing.T, cluster string, secrets ...string) [][]byte {
	t.Helper()
	keys, err := deriveKeys(cluster, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A key that changed between versions would split a cluster in the middle of an
// upgrade.
func TestDeriveKeysGolden(t *testing.T) {
	t.Parallel()
	const want = "1204be3593fd2e2312128dfc99bc9feaa5388e0d1f66dfb7879244bc88a0a8de"
	k := ring(t, "siod", "0123456789abcdef")
	if got := hex.EncodeToString(k[0]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if bytes.Equal(k[0], ring(t, "other", "0123456789abcdef")[0]) {
		t.Error("two clusters with one secret have one key")
	}
}

func TestSetKeys(t *testing.T) {
	t.Parallel()
	a, b, c := "secret-secret-aa", "secret-secret-bb", "secret-secret-cc"
	for _, tt := range [][2][]string{
		{{a}, {a}},
		{{a}, {a, b}},
		{{a, b}, {b, a}},
		{{a, b}, {b}},
		{{b, a}, {a}},
		{{a, b, c}, {c}},
		{{a, b}, {c}},
		{{a}, {b, c}},
		{{a, b, c}, {c, a}},
	} {
		r, err := newKeyring("x", tt[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := setKeys(r, ring(t, "x", tt[1]...)); err != nil {
			t.Fatal(err)
		}
		got, want := r.GetKeys(), ring(t, "x", tt[1]...)
		if len(got) != len(want) {
			t.Errorf("%v to %v: %d keys", tt[0], tt[1], len(got))
			continue
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%v to %v: key %d is another", tt[0], tt[1], i)
			}
		}
	}
}

// A secret is replaced in a running cluster without anybody missing anybody.
func TestRotation(t *testing.T) {
	t.Parallel()
	const older, newer = secret, "another secret of the tests"
	a := start(t, config(t, member("a")))
	b := start(t, config(t, member("b"), a))
	w := watch(t, a, "b")
	step := 0
	// told has b tell something new, which a must hear.
	told := func() {
		t.Helper()
		step++
		meta := map[string]string{"step": string(rune('0' + step))}
		if err := b.SetMeta(meta); err != nil {
			t.Fatal(err)
		}
		await(t, a, "step "+meta["step"], func() bool {
			m, _ := a.Lookup("b")
			return m.Meta["step"] == meta["step"]
		})
	}
	told()
	for _, secrets := range [][]string{{older, newer}, {newer, older}, {newer}} {
		for _, g := range []*Gossip{a, b} { // one after the other, as an operator would
			if err := g.SetSecrets(secrets); err != nil {
				t.Fatal(err)
			}
			told()
		}
	}
	c := config(t, member("c"), a, b)
	c.Secrets = []string{newer}
	sees(t, start(t, c), "a", "b", "c")
	old := config(t, member("d"), a, b)
	if o := start(t, old); ids(o) != "d" || o.Stats().JoinFailures != 2 {
		t.Errorf("the old secret still opens: %s sees %s, %+v", o.Self().ID, ids(o), o.Stats())
	}
	for {
		select {
		case ev := <-w:
			if ev.Kind == membership.Gone {
				t.Errorf("%s went: %v", ev.Member.ID, ev.Member.State)
			}
			continue
		default:
		}
		break
	}
}

func TestSetSecretsRefuses(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	open := config(t, member("b"))
	open.Secrets = nil
	b := start(t, open)
	for _, tt := range []struct {
		g       *Gossip
		secrets []string
		ok      bool
	}{
		{a, nil, false},
		{a, []string{"short"}, false},
		{a, []string{secret, secret}, true},
		{b, []string{secret}, false},
		{b, nil, true},
	} {
		if err := tt.g.SetSecrets(tt.secrets); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrSecrets) {
			t.Errorf("%s with %q: %v", tt.g.Self().ID, tt.secrets, err)
		}
	}
}
