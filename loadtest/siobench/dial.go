//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// conn is one WebSocket client connection over a bare socket.
type conn struct {
	fd    int
	node  int    // index into cfg.addrs
	id    int    // index into the connection table
	carry []byte // an incomplete frame left from the last read
	sent  int64  // echo: when the request in flight was sent
	out   int    // echo: requests in flight
	dead  bool
}

// ipBindAddressNoPort lets the kernel pick the port at connect, so that one
// source address can have as many connections as there are ports.
const ipBindAddressNoPort = 24

// open connects to a node, upgrades to WebSocket and does the session
// handshake of the protocol. The socket is blocking until it returns.
func open(id, node int, join bool) (*conn, error) {
	host, portS, err := net.SplitHostPort(cfg.addrs[node])
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portS)
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(host).To4()
	if ip == nil || !ip.IsLoopback() {
		return nil, errors.New("only IPv4 loopback targets are allowed")
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	c := &conn{fd: fd, node: node, id: id}
	if err := c.handshake(ip, host, port, join); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *conn) handshake(ip net.IP, host string, port int, join bool) error {
	fd := c.fd
	tv := syscall.Timeval{Sec: 30}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
	src := c.id/cfg.perSrc + cfg.srcBase
	sa := &syscall.SockaddrInet4{Addr: [4]byte{127, 1, byte(src >> 8), byte(src + 1)}}
	if err := syscall.Bind(fd, sa); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	var dst [4]byte
	copy(dst[:], ip)
	for {
		err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: dst})
		if err == nil || err == syscall.EISCONN {
			break
		}
		if err == syscall.EINTR || err == syscall.EALREADY {
			time.Sleep(time.Millisecond) // a signal came between: it goes on in the background
			continue
		}
		return fmt.Errorf("connect: %w", err)
	}
	req := "GET " + cfg.path + " HTTP/1.1\r\nHost: " + host + ":" + strconv.Itoa(port) +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	if err := writeAll(fd, []byte(req)); err != nil {
		return err
	}
	buf := make([]byte, 0, 1024)
	var end int
	var err error
	for {
		if buf, err = readMore(fd, buf); err != nil {
			return fmt.Errorf("upgrade: %w", err)
		}
		if end = bytes.Index(buf, []byte("\r\n\r\n")); end >= 0 {
			break
		}
	}
	if !bytes.HasPrefix(buf, []byte("HTTP/1.1 101")) {
		return fmt.Errorf("upgrade refused: %.60q", buf)
	}
	if c.carry, err = c.session(buf[end+4:], join); err != nil {
		return err
	}
	return nil
}

// session does the handshake of the protocol above WebSocket. It returns what
// the server sent beyond it.
func (c *conn) session(buf []byte, join bool) (rest []byte, err error) {
	steps := cfg.dialect.open
	if join {
		steps = append(steps[:len(steps):len(steps)], cfg.dialect.join(cfg.room)...)
	}
	for _, s := range steps {
		if s.say != "" {
			if err := writeAll(c.fd, maskedFrame(opText, []byte(s.say))); err != nil {
				return nil, err
			}
		}
		if buf, err = c.await(buf, s.expect); err != nil {
			return nil, fmt.Errorf("waiting for %q: %w", s.expect, err)
		}
	}
	return bytes.Clone(buf), nil
}

// await reads until a message begins with the prefix, and answers pings.
func (c *conn) await(buf []byte, prefix string) (rest []byte, err error) {
	for {
		f, rest, ok, err := nextFrame(buf)
		if err != nil {
			return nil, err
		}
		if !ok {
			if buf, err = readMore(c.fd, buf); err != nil {
				return nil, err
			}
			continue
		}
		buf = rest
		switch {
		case f.op == opClose:
			return nil, errors.New("closed by the server")
		case bytes.HasPrefix(f.data, []byte(prefix)):
			return buf, nil
		case cfg.dialect.isPing(f):
			if err := writeAll(c.fd, cfg.dialect.answer(f)); err != nil {
				return nil, err
			}
		}
	}
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := syscall.Write(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err == syscall.EAGAIN {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func readMore(fd int, buf []byte) ([]byte, error) {
	if cap(buf)-len(buf) < 512 {
		nb := make([]byte, len(buf), len(buf)*2+1024)
		copy(nb, buf)
		buf = nb
	}
	for {
		n, err := syscall.Read(fd, buf[len(buf):cap(buf)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return buf, err
		}
		if n == 0 {
			return buf, errors.New("connection closed")
		}
		return buf[:len(buf)+n], nil
	}
}
