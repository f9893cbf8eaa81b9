//go:build !linux

package transport

import "errors"

// rawIO is off where write(2) cannot be called directly: connections are then
// read through net.Conn and written by their drain goroutine.
const rawIO = false

var errNoRawIO = errors.New("transport: no raw descriptor I/O on this system")

func writeFD(int, []byte) (int, error) { return 0, errNoRawIO }

func readFD(int, []byte) (int, error) { return 0, errNoRawIO }
