package protocol

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

// attachment returns the binary value that raw, a valid JSON object, stands
// for.
func attachment(raw []byte, bin [][]byte) ([]byte, error) {
	ref := jsonscan.ParseRef(raw)
	if !ref.Is() {
		return nil, fmt.Errorf("%w: an object is no binary value", ErrAttachment)
	}
	return resolve(ref, bin)
}

func resolve(ref jsonscan.Ref, bin [][]byte) ([]byte, error) {
	if !ref.Valid(len(bin)) {
		return nil, fmt.Errorf("%w: number %d of %d", ErrAttachment, ref.Index(), len(bin))
	}
	return bin[ref.Index()], nil
}

// decodeAny builds the Go value of a JSON text: []byte for a placeholder, if
// there are attachments, and otherwise what encoding/json makes of an any.
func decodeAny(raw []byte, bin [][]byte) (any, error) {
	r := anyReader{scanner: newScanner(raw, jsonscan.HardMaxDepth, 0), bin: bin}
	start := r.Space(0)
	end := r.Value(start, 0)
	if end < 0 {
		return nil, r.scanner.err()
	}
	if end = r.Space(end); end != len(raw) {
		return nil, &SyntaxError{Offset: end, Reason: reasonTrailing}
	}
	v, _ := r.read(start)
	return v, r.failed
}

// anyReader reads JSON that was validated, so that only what JSON cannot say is
// an error: a number out of range, a placeholder without attachment.
type anyReader struct {
	scanner
	bin    [][]byte
	failed error // the first such error
}

func (r *anyReader) read(i int) (v any, end int) {
	switch r.at(i) {
	case '[':
		return r.array(i)
	case '{':
		return r.object(i)
	}
	end = r.Value(i, 0)
	switch raw := r.Data[i:end]; raw[0] {
	case 'n':
		return nil, end
	case 't', 'f':
		return raw[0] == 't', end
	case '"':
		return unquote(raw), end
	default:
		f, err := strconv.ParseFloat(string(raw), 64)
		r.fail(err)
		return f, end
	}
}

func (r *anyReader) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
}

func (r *anyReader) array(i int) (v any, end int) {
	list := []any{}
	for i = r.Space(i + 1); r.at(i) != ']'; {
		var item any
		item, i = r.read(i)
		list = append(list, item)
		if i = r.Space(i); r.at(i) == ',' {
			i = r.Space(i + 1)
		}
	}
	return list, i + 1
}

func (r *anyReader) object(i int) (v any, end int) {
	var ref jsonscan.Ref
	obj := map[string]any{}
	for i = r.Space(i + 1); r.at(i) != '}'; {
		nameEnd := r.String(i)
		name := r.Data[i:nameEnd]
		val := r.Space(r.Space(nameEnd) + 1)
		var item any
		item, i = r.read(val)
		obj[unquote(name)] = item
		ref.Member(name, r.Data[val:i])
		if i = r.Space(i); r.at(i) == ',' {
			i = r.Space(i + 1)
		}
	}
	if !ref.Is() || len(r.bin) == 0 {
		return obj, i + 1
	}
	b, err := resolve(ref, r.bin)
	r.fail(err)
	return b, i + 1
}

// unquote returns the text of a JSON string. What is no UTF-8, as a lone
// surrogate, becomes U+FFFD.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1])
	}
	s, _ := jsontext.AppendUnquote(nil, raw) // the error reports what was replaced
	return string(s)
}
