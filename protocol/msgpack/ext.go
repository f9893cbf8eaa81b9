package msgpack

import (
	"encoding/binary"
	"fmt"
	"time"
)

// ext writes an extension: those that notepack, the library below
// socket.io-msgpack-parser, uses for undefined and dates, and the timestamp of
// the MessagePack specification.
func (t *transcoder) ext(it item) error {
	b := it.body
	switch {
	case it.undefined():
		t.out = append(t.out, "null"...)
	case it.ext == 0 && len(b) == 8:
		ms := int64(binary.BigEndian.Uint64(b))
		t.out = appendTime(t.out, floorDiv(ms, 1000), floorMod(ms, 1000)*1e6)
	case it.ext == -1 && len(b) == 4:
		t.out = appendTime(t.out, int64(binary.BigEndian.Uint32(b)), 0)
	case it.ext == -1 && len(b) == 8:
		n := binary.BigEndian.Uint64(b)
		t.out = appendTime(t.out, int64(n&(1<<34-1)), int64(n>>34))
	case it.ext == -1 && len(b) == 12:
		t.out = appendTime(t.out, int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b)))
	default:
		return t.bad(it.at, reasonExt)
	}
	return nil
}

func floorDiv(a, b int64) int64 { return (a - floorMod(a, b)) / b }

func floorMod(a, b int64) int64 { return (a%b + b) % b }

// maxSeconds is the end of time in JavaScript, 100,000,000 days from 1970
// (ECMA-262, "Time Values and Time Range").
const maxSeconds = 8_640_000_000_000

// appendTime writes a time as JSON.stringify writes a date: milliseconds, UTC,
// and a sign with six digits for years outside 0 to 9999. A time that
// JavaScript does not know is null.
func appendTime(dst []byte, sec, nsec int64) []byte {
	if sec > maxSeconds || sec < -maxSeconds || nsec >= 1e9 || sec == maxSeconds && nsec > 0 {
		return append(dst, "null"...)
	}
	t := time.Unix(sec, nsec).UTC()
	dst = append(dst, '"')
	if y := t.Year(); y < 0 || y > 9999 {
		dst = fmt.Appendf(dst, "%+07d", y)
		dst = t.AppendFormat(dst, "-01-02T15:04:05.000Z")
	} else {
		dst = t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
	return append(dst, '"')
}
