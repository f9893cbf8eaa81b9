package forward

import "syscall"

// rawIO: descriptors are read by a system call of our own, so that a tunnel
// holds no buffer while it waits.
const rawIO = true

// readFD makes one read(2) on a non-blocking descriptor. The end of the stream
// is 0, and -1 means that there is nothing yet.
func readFD(fd int, b []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, b)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return -1, nil
		default:
			return 0, err
		}
	}
}
