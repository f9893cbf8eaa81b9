// Package nodejs runs the Node programs under test/ from Go tests: it installs
// what they need, passes their output on, and reads the lines in which they
// count what they did.
//
// It stands below the tiers interop and browser. A program is a process of the
// test that runs it and is killed when the test's time is over. It runs no
// goroutines beyond those of os/exec, which end with the process.
//
//	nodejs.Setup(t, "interop")
//	done := nodejs.Run(t, "run.mjs", "--server", "plain=http://"+s.Addr)
//	if done.Cells == 0 || done.Skipped > 0 { … }
package nodejs
