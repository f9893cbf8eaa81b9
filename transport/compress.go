package transport

import (
	"bytes"
	"io"
	"net/http"
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

// compressible reports whether a polling response is to be compressed.
func (e *Engine) compressible(r *http.Request, body []byte) bool {
	return !e.cfg.Compression.Disabled && len(body) >= e.cfg.Compression.Threshold && r.Header.Get("Accept-Encoding") != ""
}

// compressBody compresses body into dst with the encoding that the client
// prefers of gzip and deflate (RFC 9110, 12.5.3). HTTP's deflate is the zlib
// format.
func compressBody(dst *buffer, accept string, body []byte) (encoding string, ok bool) {
	encoding = preferred(accept)
	out := bytes.NewBuffer(dst.b[:0])
	switch encoding {
	case "gzip":
		w := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(w)
		w.Reset(out)
		_, _ = w.Write(body)
		_ = w.Close()
	case "deflate":
		w := zlibWriters.Get().(*zlib.Writer)
		defer zlibWriters.Put(w)
		w.Reset(out)
		_, _ = w.Write(body)
		_ = w.Close()
	default:
		return "", false
	}
	dst.b = out.Bytes()
	return encoding, true
}

// preferred returns the first of the encodings with the highest weight that we
// have, or "".
func preferred(accept string) string {
	best, weight := "", 0.0
	for part := range strings.SplitSeq(accept, ",") {
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
