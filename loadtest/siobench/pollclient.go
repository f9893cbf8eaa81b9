//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// pollClient is one keep-alive connection on the long-polling transport.
type pollClient struct {
	c    net.Conn
	br   *bufio.Reader
	host string
	path string
	eio  string
	buf  []byte
}

func newPollClient(addr, eio string) (*pollClient, error) {
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("only loopback targets are allowed")
	}
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &pollClient{c: nc, br: bufio.NewReader(nc), host: addr, eio: eio,
		path: "/socket.io/?EIO=" + eio + "&transport=polling"}
	if eio == "3" {
		c.path += "&b64=1" // text framing of payloads
	}
	body, err := c.do("GET", "")
	if err != nil {
		return nil, err
	}
	i := bytes.Index(body, []byte(`"sid":"`))
	if i < 0 {
		return nil, fmt.Errorf("no sid in %.80q", body)
	}
	sid := body[i+7:]
	sid = sid[:bytes.IndexByte(sid, '"')]
	c.path += "&sid=" + string(sid)
	if eio == "4" {
		if err := c.post("40"); err != nil {
			return nil, err
		}
	}
	if eio == "4" || !bytes.Contains(body, []byte("2:40")) {
		if err := c.await("40"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *pollClient) post(packet string) error {
	if c.eio == "3" {
		packet = strconv.Itoa(len(packet)) + ":" + packet
	}
	b, err := c.do("POST", packet)
	if err == nil && !strings.EqualFold(string(b), "ok") {
		err = fmt.Errorf("POST answered %.60q", b)
	}
	return err
}

// await polls until a packet with the prefix has come.
func (c *pollClient) await(prefix string) error {
	for i := 0; i < 20; i++ {
		b, err := c.do("GET", "")
		if err != nil {
			return err
		}
		found := false
		packets := strings.Split(string(b), "\x1e")
		if c.eio == "3" {
			packets = splitV3(b)
		}
		for _, p := range packets {
			if strings.HasPrefix(p, prefix) {
				found = true
			}
			if p == "2" && c.eio == "4" {
				if err := c.post("3"); err != nil {
					return err
				}
			}
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("no %q packet", prefix)
}

func splitV3(b []byte) []string {
	var out []string
	for {
		i := bytes.IndexByte(b, ':')
		if i < 0 {
			return out
		}
		n, err := strconv.Atoi(string(b[:i]))
		if err != nil || i+1+n > len(b) {
			return append(out, string(b))
		}
		out = append(out, string(b[i+1:i+1+n]))
		b = b[i+1+n:]
	}
}

func (c *pollClient) echo(msg string) error {
	if err := c.post(msg); err != nil {
		return err
	}
	return c.await("437")
}

func (c *pollClient) do(method, body string) ([]byte, error) {
	_ = c.c.SetDeadline(time.Now().Add(40 * time.Second))
	b := c.buf[:0]
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, c.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	if method == "POST" {
		b = append(b, "\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
	}
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.buf = b
	if _, err := c.c.Write(b); err != nil {
		return nil, err
	}
	line, err := c.br.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 200") {
		return nil, fmt.Errorf("%s answered %.60q", method, line)
	}
	length, chunked := -1, false
	for {
		line, err = c.br.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		k, v, _ := strings.Cut(line, ":")
		switch strings.ToLower(k) {
		case "content-length":
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		case "transfer-encoding":
			chunked = strings.Contains(strings.ToLower(v), "chunked")
		case "connection":
			if strings.EqualFold(strings.TrimSpace(v), "close") {
				return nil, errors.New("the server closes the connection after an answer")
			}
		}
	}
	if !chunked {
		if length < 0 {
			return nil, errors.New("answer of unknown length")
		}
		out := make([]byte, length)
		_, err = io.ReadFull(c.br, out)
		return out, err
	}
	var out []byte
	for {
		line, err = c.br.ReadString('\n')
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return nil, err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(c.br, chunk); err != nil {
			return nil, err
		}
		if n == 0 {
			return out, nil
		}
		out = append(out, chunk[:n]...)
	}
}
