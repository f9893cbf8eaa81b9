// Package interop is the interoperability matrix: real clients of every
// generation, on every transport, against a server process. README.md says
// what its rows assert; the work is done by run.mjs, which the test here
// starts and checks.
package interop
