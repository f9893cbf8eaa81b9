// Package archtest holds the rules of this repository that a compiler does not
// check, as tests: which package may import which and why, the exact list of
// packages, a doc.go in each, the length of files, no sleeping or skipped
// tests, a leak check in every package that has tests, a stated reason for every
// direct dependency, and that the tests and names which docs/compatibility.md
// cites exist.
//
// It stands beside the other packages: it reads their source as text, imports
// none of them and is imported by none. It starts no goroutines and has no
// locks.
//
// A new package is added to testdata/packages.txt, by hand or with
//
//	go test ./internal/archtest -run TestPackageList -update
//
// and, where it takes a place in the drawing of ARCHITECTURE.md, gets a rule in
// rules_test.go. A failure prints the rule's reason, so that whoever breaks it
// learns what the rule protects.
package archtest
