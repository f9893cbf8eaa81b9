package protocol

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// attachment returns the binary value that raw, valid JSON, is a placeholder
// of.
func attachment(raw []byte, bin [][]byte) ([]byte, error) {
	num, ok := parsePlaceholder(raw)
	if !ok {
		return nil, fmt.Errorf("%w: an object is no binary value", ErrAttachment)
	}
	if num < 0 || num >= len(bin) {
		return nil, fmt.Errorf("%w: number %d of %d", ErrAttachment, num, len(bin))
	}
	return bin[num], nil
}

// decodeAny builds the Go value of valid JSON, with []byte for placeholders.
func decodeAny(raw []byte, bin [][]byte) (any, error) {
	a := anyReader{scanner{data: raw, maxDepth: hardMaxDepth, attachments: -1}, bin}
	v, end, err := a.read(a.space(0), 0)
	if err == nil && a.space(end) != len(raw) {
		err = &SyntaxError{Offset: end, Reason: reasonTrailing}
	}
	return v, err
}

type anyReader struct {
	scanner
	bin [][]byte
}

func (a *anyReader) read(i, depth int) (v any, end int, err error) {
	if i >= len(a.data) {
		return nil, i, &SyntaxError{Offset: i, Reason: reasonJSON}
	}
	switch a.data[i] {
	case '[':
		return a.readArray(i, depth+1)
	case '{':
		return a.readObject(i, depth+1)
	}
	if end = a.value(i, depth); end < 0 {
		return nil, i, a.err()
	}
	switch raw := a.data[i:end]; raw[0] {
	case 'n':
		return nil, end, nil
	case 't', 'f':
		return raw[0] == 't', end, nil
	case '"':
		s, _ := jsontext.AppendUnquote(nil, raw)
		return string(s), end, nil
	default:
		f, err := strconv.ParseFloat(string(raw), 64)
		return f, end, err
	}
}

func (a *anyReader) readArray(i, depth int) (v any, end int, err error) {
	if !a.deeper(i, depth) {
		return nil, i, a.err()
	}
	list := []any{}
	i = a.space(i + 1)
	if i < len(a.data) && a.data[i] == ']' {
		return list, i + 1, nil
	}
	for {
		var item any
		if item, i, err = a.read(a.space(i), depth); err != nil {
			return nil, i, err
		}
		list = append(list, item)
		i = a.space(i)
		switch {
		case i < len(a.data) && a.data[i] == ',':
			i++
		case i < len(a.data) && a.data[i] == ']':
			return list, i + 1, nil
		default:
			return nil, i, &SyntaxError{Offset: i, Reason: reasonJSON}
		}
	}
}

func (a *anyReader) readObject(i, depth int) (v any, end int, err error) {
	if !a.deeper(i, depth) {
		return nil, i, a.err()
	}
	var ph placeholder
	obj := map[string]any{}
	i = a.space(i + 1)
	if i < len(a.data) && a.data[i] == '}' {
		return obj, i + 1, nil
	}
	for {
		name := a.space(i)
		if name >= len(a.data) || a.data[name] != '"' {
			return nil, name, &SyntaxError{Offset: name, Reason: reasonJSON}
		}
		nameEnd := a.str(name)
		if nameEnd < 0 {
			return nil, i, a.err()
		}
		if i = a.space(nameEnd); i >= len(a.data) || a.data[i] != ':' {
			return nil, i, &SyntaxError{Offset: i, Reason: reasonJSON}
		}
		val := a.space(i + 1)
		var item any
		if item, i, err = a.read(val, depth); err != nil {
			return nil, i, err
		}
		key, _ := jsontext.AppendUnquote(nil, a.data[name:nameEnd])
		obj[string(key)] = item
		ph.member(a.data[name:nameEnd], a.data[val:i])
		i = a.space(i)
		switch {
		case i < len(a.data) && a.data[i] == ',':
			i++
		case i < len(a.data) && a.data[i] == '}':
			if !ph.is {
				return obj, i + 1, nil
			}
			if ph.num < 0 || ph.num >= len(a.bin) {
				return nil, i, fmt.Errorf("%w: number %d of %d", ErrAttachment, ph.num, len(a.bin))
			}
			return a.bin[ph.num], i + 1, nil
		default:
			return nil, i, &SyntaxError{Offset: i, Reason: reasonJSON}
		}
	}
}
