package subject_test

import (
	"errors"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

// The seeds are in testdata/fuzz, one file each, and run with every go test.

// FuzzParse reads any subject. What is read as an address is, built again, the
// same subject: nobody can spell an address in two ways.
func FuzzParse(f *testing.F) {
	s := space(f)
	f.Fuzz(func(t *testing.T, in, namespace, name string) {
		p, err := s.Parse(in)
		if err != nil {
			if !errors.Is(err, subject.ErrUnknown) {
				t.Fatal(err)
			}
			return
		}
		if !publishable(in) {
			t.Fatalf("%q was read as %+v", in, p)
		}
		to, err := p.Address(namespace, name)
		if err != nil {
			if !errors.Is(err, subject.ErrForged) && !errors.Is(err, subject.ErrUnknown) {
				t.Fatal(err)
			}
			return
		}
		build := func(to backplane.Address) (string, error) { return s.Fast(to) }
		switch p.Class {
		case subject.Ingest:
			build = func(to backplane.Address) (string, error) { return s.Ingest(p.Log, to) }
		case subject.Delivery:
			build = func(to backplane.Address) (string, error) { return s.Delivery(p.Log, to) }
		}
		if again, err := build(to); err != nil || again != in {
			t.Fatalf("%q is %s, whose subject is %q, %v", in, to, again, err)
		}
	})
}

// FuzzNames takes any two pairs of names for a namespace and a room, a socket
// or an event: they have the same subject only if they are the same.
func FuzzNames(f *testing.F) {
	s := space(f)
	f.Fuzz(func(t *testing.T, ns1, name1, ns2, name2 string) {
		for _, scope := range []backplane.Scope{backplane.ScopeRoom, backplane.ScopeSocket, backplane.ScopeWorker} {
			a := backplane.Address{Scope: scope, Namespace: ns1, Name: name1}
			b := backplane.Address{Scope: scope, Namespace: ns2, Name: name2}
			if a.CheckPublish() != nil || b.CheckPublish() != nil {
				continue
			}
			if sa, sb := checkFast(t, s, a), checkFast(t, s, b); (sa == sb) != (a == b) {
				t.Fatalf("%s is %q, %s is %q", a, sa, b, sb)
			}
		}
	})
}
