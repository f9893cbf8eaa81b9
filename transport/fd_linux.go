package transport

import (
	"syscall"
	"unsafe"
)

// rawIO: descriptors are read and written by system calls of our own. The
// descriptor is non-blocking and the calls return at once, so they are made
// without telling the scheduler, which is where net.Conn.Write costs 5-20 %
// more.
const rawIO = true

// writeFD makes one write(2). A full socket is 0 without an error.
func writeFD(fd int, b []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch e {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, e
		}
	}
}

// readFD makes one read(2). The end of the stream is 0, and -1 means that there
// is nothing yet.
func readFD(fd int, b []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch e {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return -1, nil
		default:
			return 0, e
		}
	}
}
