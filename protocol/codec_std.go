package protocol

import (
	"bytes"
	"encoding/json"

	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

// StdCodec is a codec on the standard encoding/json, for programs whose types
// depend on its rules. It differs from [JSON] in what encoding/json does, and:
//
//   - []byte at any depth is an attachment here too, found by reflection: in
//     maps, slices, pointers, interfaces and exported struct fields, but not
//     inside types that marshal themselves.
//   - Decoding a packet with attachments into *any, *[]any or *map[string]any
//     gives []byte for them. An any that is a part of another type gets base64
//     text instead.
var StdCodec Codec = stdCodec{}

type stdCodec struct{}

func (stdCodec) AppendValue(dst []byte, bin [][]byte, v any) ([]byte, [][]byte, error) {
	switch v := v.(type) {
	case []byte:
		if v == nil {
			return append(dst, "null"...), bin, nil
		}
		dst = jsonscan.AppendRef(dst, len(bin))
		return dst, append(bin, cloneBytes(v)), nil
	case json.RawMessage:
		return appendRaw(dst, bin, v)
	}
	var x extractor
	v = x.value(v)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, bin, err
	}
	dst, bin = x.appendRefs(dst, bin, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	return dst, bin, nil
}

func (stdCodec) DecodeValue(raw []byte, bin [][]byte, dst any) (err error) {
	if len(bin) == 0 {
		return json.Unmarshal(raw, dst)
	}
	switch dst := dst.(type) {
	case *any:
		*dst, err = decodeAny(raw, bin)
		return err
	case *map[string]any:
		return decodeAnyAs(raw, bin, dst)
	case *[]any:
		return decodeAnyAs(raw, bin, dst)
	}
	text, err := inlineAttachments(raw, bin)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, dst)
}

// decodeAnyAs stores a map or slice; if raw is neither, encoding/json says so.
func decodeAnyAs[T any](raw []byte, bin [][]byte, dst *T) error {
	v, err := decodeAny(raw, bin)
	if err != nil {
		return err
	}
	t, ok := v.(T)
	if !ok && v != nil {
		return json.Unmarshal(raw, dst)
	}
	*dst = t
	return nil
}
