// Package target starts the program under test, loadtest/target, as a process of
// its own, and reads what it tells about itself on its internal listener.
//
// It stands below the black-box tiers of test/. The program is built once for
// each test binary, with the race detector when the tests have it. A server
// belongs to the test that started it, and is asked to end with SIGTERM when
// that test ends: it must then exit with code 0, without a panic or a data race
// in its log.
//
// Start runs two goroutines for the process, one that reads its output and one
// inside os/exec; both end with the process.
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(target.Exit)) }
//
//	s := target.Start(t, "--app", "echo")
//	ws := wire.Dial(t, s.Addr, "/socket.io/?EIO=4&transport=websocket")
package target
