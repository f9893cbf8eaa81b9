package protocol

import (
	"bytes"
	"encoding/json"
)

// StdCodec is a codec on the standard encoding/json, for programs whose types
// depend on its rules.
var StdCodec Codec = stdCodec{}

type stdCodec struct{}

func (stdCodec) AppendValue(dst []byte, bin [][]byte, v any) ([]byte, [][]byte, error) {
	if b, ok := v.([]byte); ok && b != nil {
		dst = appendPlaceholder(dst, len(bin))
		return dst, append(bin, cloneBytes(b)), nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, bin, err
	}
	return append(dst, bytes.TrimRight(buf.Bytes(), "\n")...), bin, nil
}

func (stdCodec) DecodeValue(raw []byte, bin [][]byte, dst any) error {
	return json.Unmarshal(raw, dst)
}
