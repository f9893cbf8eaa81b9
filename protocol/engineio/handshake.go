package engineio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Handshake is what the server tells a client in the open packet.
type Handshake struct {
	// SID identifies the session in every later request. Who knows it can act
	// as the client.
	SID string
	// Upgrades lists the transports that the session can change to from the one
	// it was opened on, usually "websocket" or nothing.
	Upgrades []string
	// PingInterval and PingTimeout are sent as whole milliseconds.
	PingInterval time.Duration
	PingTimeout  time.Duration
	// MaxPayload is the largest body, in bytes, that the server accepts in one
	// request. Clients from 4.5 on split their batches by it. Zero leaves it
	// out.
	MaxPayload int
}

// AppendOpen appends the text form of the open packet, type digit included:
//
//	0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
//
// It is the same in both revisions: clients that do not know maxPayload ignore
// it. What follows the digit is the data for the packet of a payload.
func AppendOpen(dst []byte, h Handshake) []byte {
	dst = append(dst, byte(Open))
	dst = append(dst, `{"sid":`...)
	dst = appendString(dst, h.SID)
	dst = append(dst, `,"upgrades":[`...)
	for i, u := range h.Upgrades {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, u)
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, h.PingInterval.Milliseconds(), 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, h.PingTimeout.Milliseconds(), 10)
	if h.MaxPayload > 0 {
		dst = append(dst, `,"maxPayload":`...)
		dst = strconv.AppendInt(dst, int64(h.MaxPayload), 10)
	}
	return append(dst, '}')
}

// ParseOpen parses the data of an open packet, without the type digit. It
// refuses a handshake that a client cannot work with: without a sid, or with
// times that are not positive. Unknown members are ignored. Errors wrap
// ErrPacket.
func ParseOpen(data []byte) (Handshake, error) {
	var m struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval float64  `json:"pingInterval"`
		PingTimeout  float64  `json:"pingTimeout"`
		MaxPayload   float64  `json:"maxPayload"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Handshake{}, fmt.Errorf("%w: open packet: %w", ErrPacket, err)
	}
	if m.SID == "" {
		return Handshake{}, fmt.Errorf("%w: open packet: no sid", ErrPacket)
	}
	interval, err1 := parseMillis("pingInterval", m.PingInterval)
	timeout, err2 := parseMillis("pingTimeout", m.PingTimeout)
	if err := errors.Join(err1, err2); err != nil {
		return Handshake{}, err
	}
	if m.MaxPayload < 0 || m.MaxPayload > math.MaxInt32 {
		return Handshake{}, fmt.Errorf("%w: open packet: maxPayload out of range", ErrPacket)
	}
	return Handshake{
		SID:          m.SID,
		Upgrades:     m.Upgrades,
		PingInterval: interval,
		PingTimeout:  timeout,
		MaxPayload:   int(m.MaxPayload),
	}, nil
}

// parseMillis converts a positive number of milliseconds, at most a year.
func parseMillis(name string, ms float64) (time.Duration, error) {
	const year = 365 * 24 * time.Hour
	if ms < 1 || ms > float64(year.Milliseconds()) {
		return 0, fmt.Errorf("%w: open packet: %s out of range", ErrPacket, name)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
