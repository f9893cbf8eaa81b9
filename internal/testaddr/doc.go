// Package testaddr finds addresses for servers of tests, for those that have to
// know one before the server listens, or have it listen there again.
package testaddr
