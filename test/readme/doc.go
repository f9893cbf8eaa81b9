// Package readme holds tests only: what the documents of the repository say to
// type, works as it is written, and what they point at exists.
//
// It stands above the repository as a checkout: it reads the documents as text,
// runs the commands and the program of README.md as processes of their own, and
// connects clients to them. The one change that it makes is the address, so
// that port 3000 need not be free.
//
// The other documents are not run, but looked through: links, anchors, paths,
// targets of make, packages and tests in commands, flags of siod. What is not
// understood is an error. Defects are planted in a small tree to show that each
// is noticed.
//
// Processes are groups, ended by the signal that a terminal sends; a goroutine
// for each reads what it prints and ends with it.
package readme
