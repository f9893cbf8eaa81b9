package transport

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

var (
	gzipWriters = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed); return w }}
	zlibWriters = sync.Pool{New: func() any { w, _ := zlib.NewWriterLevel(io.Discard, zlib.BestSpeed); return w }}
)

// compressBody compresses body into dst with the encoding that the client
// prefers of gzip and deflate (RFC 9110, 12.5.3). HTTP's deflate is the zlib
// format.
func compressBody(dst *buffer, accept []string, body []byte) (encoding string, ok bool) {
	encoding = preferred(accept)
	var pool *sync.Pool
	switch encoding {
	case "gzip":
		pool = &gzipWriters
	case "deflate":
		pool = &zlibWriters
	default:
		return "", false
	}
	z := pool.Get().(compressor)
	defer pool.Put(z)
	out := bytes.NewBuffer(dst.b[:0])
	z.Reset(out)
	_, err := z.Write(body)
	if err = errors.Join(err, z.Close()); err != nil {
		return "", false // cannot be: out takes everything
	}
	dst.b = out.Bytes()
	return encoding, true
}

type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// preferred returns the first of the encodings with the highest weight that we
// have, or "".
func preferred(accept []string) string {
	best, weight := "", 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "*" {
			name = "gzip"
		}
		if name != "gzip" && name != "deflate" {
			continue
		}
		q := 1.0
		if _, v, ok := strings.Cut(params, "q="); ok {
			q, _ = strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
		if q > weight {
			best, weight = name, q
		}
	}
	return best
}
