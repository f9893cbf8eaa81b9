package protocol

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

type jsonCodec struct{}

// What encoding/json/v2 does not do by default. Repeated names are allowed in
// lenient mode only, which makes it slower: it has to check less, but cannot
// take its short way for values of unknown type.
var (
	strict = json.JoinOptions(
		jsontext.AllowInvalidUTF8(true),
		jsonv1.FormatDurationAsNano(true),
	)
	lenient = json.JoinOptions(strict, jsontext.AllowDuplicateNames(true))
)

// AppendValue writes the commonest types itself and leaves the rest to json.
func (jsonCodec) AppendValue(dst []byte, bin [][]byte, v any) ([]byte, [][]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), bin, nil
	case bool:
		return strconv.AppendBool(dst, v), bin, nil
	case string:
		return appendString(dst, v), bin, nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), bin, nil
	case int64:
		return strconv.AppendInt(dst, v, 10), bin, nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), bin, nil
	case []byte:
		if v == nil {
			return append(dst, "null"...), bin, nil
		}
		dst = jsonscan.AppendRef(dst, len(bin))
		return dst, append(bin, cloneBytes(v)), nil
	case jsontext.Value:
		return appendRaw(dst, bin, v)
	case stdjson.RawMessage:
		return appendRaw(dst, bin, v)
	}
	e := encoders.Get().(*encoder)
	dst, bin, err := e.append(dst, bin, v)
	e.free()
	return dst, bin, err
}

// appendRaw copies raw JSON as it is, trimmed. A nil one is null.
func appendRaw(dst []byte, bin [][]byte, raw []byte) ([]byte, [][]byte, error) {
	if raw == nil {
		return append(dst, "null"...), bin, nil
	}
	s := newScanner(raw, jsonscan.HardMaxDepth, 0)
	start := s.Space(0)
	end := s.Value(start, 0)
	if end < 0 {
		return dst, bin, errors.Join(errRaw, s.err())
	}
	if s.Space(end) != len(raw) {
		return dst, bin, errors.Join(errRaw, &SyntaxError{Offset: end, Reason: reasonTrailing})
	}
	return append(dst, raw[start:end]...), bin, nil
}

// cloneBytes copies b; an empty b stays non-nil, as an attachment is never nil.
func cloneBytes(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// encoder is the pooled state of one AppendValue: the marshaler that takes
// binary values out has to know where to put them.
type encoder struct {
	buf  bytes.Buffer
	enc  *jsontext.Encoder
	opts jsontext.Options
	bin  [][]byte
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.opts = json.JoinOptions(
		lenient,
		jsontext.PreserveRawStrings(true),
		json.WithMarshalers(json.MarshalToFunc(e.marshalBytes)),
	)
	e.enc = jsontext.NewEncoder(&e.buf)
	return e
}}

func (e *encoder) marshalBytes(enc *jsontext.Encoder, b []byte) error {
	if b == nil {
		return enc.WriteToken(jsontext.Null)
	}
	var scratch [48]byte
	e.bin = append(e.bin, cloneBytes(b))
	return enc.WriteValue(jsonscan.AppendRef(scratch[:0], len(e.bin)-1))
}

func (e *encoder) append(dst []byte, bin [][]byte, v any) ([]byte, [][]byte, error) {
	e.bin = bin
	e.buf.Reset()
	e.enc.Reset(&e.buf, e.opts)
	if err := json.MarshalEncode(e.enc, v); err != nil {
		return dst, bin, err
	}
	out := e.buf.Bytes()
	return append(dst, out[:len(out)-1]...), e.bin, nil // without its line feed
}

func (e *encoder) free() {
	e.bin = nil
	if e.buf.Cap() <= maxPooled {
		encoders.Put(e)
	}
}

// DecodeValue reads values of unknown type itself and leaves the rest to json,
// first in the mode that it is fastest in.
func (jsonCodec) DecodeValue(raw []byte, bin [][]byte, dst any) (err error) {
	switch dst := dst.(type) {
	case *any:
		*dst, err = decodeAny(raw, bin)
		return err
	case *string:
		if len(raw) > 0 && raw[0] == '"' {
			return decodeString(raw, dst)
		}
	}
	if len(bin) == 0 {
		err = json.Unmarshal(raw, dst, strict)
		if err == nil || !errors.Is(err, jsontext.ErrDuplicateName) {
			return err
		}
	}
	d := decoders.Get().(*decoder)
	d.bin = bin
	err = json.Unmarshal(raw, dst, d.opts)
	d.bin = nil
	decoders.Put(d)
	return err
}

func decodeString(raw []byte, dst *string) error {
	s := newScanner(raw, 1, 0)
	if end := s.String(0); end < 0 {
		return s.err()
	} else if end = s.Space(end); end != len(raw) {
		return &SyntaxError{Offset: end, Reason: reasonTrailing}
	}
	*dst = unquote(raw)
	return nil
}

// decoder is the pooled state of one DecodeValue with attachments.
type decoder struct {
	opts json.Options
	bin  [][]byte
}

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.opts = json.JoinOptions(lenient, json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(d.bytes),
		json.UnmarshalFromFunc(d.any),
	)))
	return d
}}

// bytes resolves a placeholder; anything else is left to json, which reads
// null and base64.
func (d *decoder) bytes(dec *jsontext.Decoder, dst *[]byte) error {
	if len(d.bin) == 0 || dec.PeekKind() != '{' {
		return errors.ErrUnsupported
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*dst, err = attachment(raw, d.bin)
	return err
}

// any takes values of unknown type over, which json would merge with the value
// of an earlier member of the same name.
func (d *decoder) any(dec *jsontext.Decoder, dst *any) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*dst, err = decodeAny(raw, d.bin)
	return err
}
