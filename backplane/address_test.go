package backplane_test

import (
	"errors"
	"testing"

	"github.com/siod-io/siod/backplane"
)

var addresses = []backplane.Address{
	{}, {Scope: 99, Namespace: "/", Name: "x"},
	backplane.Room("/", "r"), backplane.Room("/", ""), backplane.Room("/n", "r"), backplane.Room("", "r"),
	backplane.Socket("/", "tokenAxyz"), backplane.Socket("/", "short"), backplane.Socket("/", ""), backplane.Socket("", "tokenAxyz"),
	backplane.Home("tokenA"), backplane.Home("token"), backplane.Home(""),
	backplane.Namespace("/"), backplane.Namespace(""),
	backplane.Requests("/"), backplane.Requests(""),
	backplane.Gateway("/"), backplane.Gateway(""),
	backplane.Node("self"), backplane.Node("other"), backplane.Node(""),
	backplane.Worker("/", "e"), backplane.Worker("/", ""), backplane.Worker("", "e"),
}

func TestAddressUse(t *testing.T) {
	t.Parallel()
	const pub, sub, req = 1, 2, 4
	allowed := map[backplane.Address]int{
		backplane.Room("/", "r"):           pub | sub,
		backplane.Room("/", ""):            pub | sub,
		backplane.Room("/n", "r"):          pub | sub,
		backplane.Socket("/", "tokenAxyz"): pub | sub,
		backplane.Socket("/", "short"):     pub | sub,
		backplane.Home("tokenA"):           sub,
		backplane.Namespace("/"):           pub | sub | req,
		backplane.Namespace(""):            sub,
		backplane.Requests("/"):            pub | sub | req,
		backplane.Requests(""):             sub,
		backplane.Gateway("/"):             pub | sub | req,
		backplane.Gateway(""):              sub,
		backplane.Node("self"):             pub | sub | req,
		backplane.Node("other"):            pub | req,
		backplane.Worker("/", "e"):         pub | sub | req,
	}
	for _, a := range addresses {
		for _, c := range []struct {
			name string
			bit  int
			err  error
		}{
			{"publish", pub, a.CheckPublish()},
			{"subscribe", sub, a.CheckSubscribe("self")},
			{"request", req, a.CheckRequest()},
		} {
			if want := allowed[a]&c.bit != 0; want != (c.err == nil) || c.err != nil && !errors.Is(c.err, backplane.ErrAddress) {
				t.Errorf("%s %s: %v", c.name, a, c.err)
			}
		}
	}
}

func TestAddressMatches(t *testing.T) {
	t.Parallel()
	wild := map[[2]backplane.Address]bool{
		{backplane.Home("tokenA"), backplane.Socket("/", "tokenAxyz")}: true,
		{backplane.Namespace(""), backplane.Namespace("/")}:            true,
		{backplane.Requests(""), backplane.Requests("/")}:              true,
		{backplane.Gateway(""), backplane.Gateway("/")}:                true,
	}
	for _, a := range addresses {
		for _, b := range addresses {
			if a.CheckSubscribe("self") != nil || b.CheckPublish() != nil {
				continue // never asked
			}
			if want := a == b || wild[[2]backplane.Address{a, b}]; a.Matches(b) != want {
				t.Errorf("%s matches %s: %v", a, b, !want)
			}
		}
	}
}

func TestHomeOf(t *testing.T) {
	t.Parallel()
	for sid, want := range map[string]string{
		"":                     "",
		"short":                "",
		"tokenA":               "tokenA",
		"tokenA0123456789":     "tokenA",
		"/chat#tokenA01234":    "tokenA",
		"/a#b#tokenA01234":     "tokenA",
		"tokenA#":              "",
		"tokenA#abc":           "",
		"#tokenA":              "tokenA",
		"/very/long/namespace": "/very/",
	} {
		if got := backplane.HomeOf(sid); got != want {
			t.Errorf("home of %q is %q, want %q", sid, got, want)
		}
	}
}

func TestAddressString(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]backplane.Address{
		`room("/chat", "a\nb")`: backplane.Room("/chat", "a\nb"),
		`home("tokenA")`:        backplane.Home("tokenA"),
		`node("b")`:             backplane.Node("b"),
		`requests("/")`:         backplane.Requests("/"),
		`scope(99)("/", "x")`:   {Scope: 99, Namespace: "/", Name: "x"},
	} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
