package protocol

import (
	"bytes"
	"crypto/rand"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

// encoding/json has no hook for a type that is not ours, so binary values are
// found in two steps. Before encoding, each []byte in (a copy of) the value is
// replaced by a mark of a few bytes; afterwards the base64 of each mark in the
// text is replaced by a placeholder. So every rule of struct tags stays with
// encoding/json. The first part of a mark is random and never leaves the
// process: no text from outside can pass for one.

const (
	markNonce = 12 // bytes: 16 characters of base64
	markSize  = 18 // and 8 for the index
)

var nonce = sync.OnceValue(func() (n [markNonce]byte) {
	rand.Read(n[:]) // never fails
	return n
})

// maxCopyDepth stops at a value that contains itself; encoding/json then
// reports it.
const maxCopyDepth = 1000

// extractor takes binary values out of a Go value.
type extractor struct {
	found [][]byte // by index of the mark
}

// value returns v with marks instead of binary values.
func (x *extractor) value(v any) any {
	if v == nil || !mayHoldBytes(reflect.TypeOf(v)) {
		return v
	}
	c := reflect.New(reflect.TypeOf(v)).Elem()
	c.Set(reflect.ValueOf(v))
	x.mark(c, 0)
	return c.Interface()
}

var bytesType = reflect.TypeFor[[]byte]()

// mark replaces what v holds; v is settable and what it refers to is copied.
func (x *extractor) mark(v reflect.Value, depth int) {
	if depth > maxCopyDepth || !mayHoldBytes(v.Type()) {
		return
	}
	depth++
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		if v.Type() == bytesType {
			v.SetBytes(x.take(v.Bytes()))
			return
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			x.mark(c.Index(i), depth)
		}
		v.Set(c)
	case reflect.Array:
		for i := range v.Len() {
			x.mark(v.Index(i), depth)
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			c.SetMapIndex(it.Key(), x.marked(it.Value(), depth))
		}
		v.Set(c)
	case reflect.Pointer:
		if !v.IsNil() {
			v.Set(x.marked(v.Elem(), depth).Addr())
		}
	case reflect.Interface:
		if !v.IsNil() {
			v.Set(x.marked(v.Elem(), depth))
		}
	case reflect.Struct:
		x.markFields(v, depth)
	}
}

// marked returns a marked copy of v.
func (x *extractor) marked(v reflect.Value, depth int) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	x.mark(c, depth)
	return c
}

func (x *extractor) markFields(v reflect.Value, depth int) {
	for i := range v.NumField() {
		f, def := v.Field(i), v.Type().Field(i)
		switch {
		case !f.CanSet() && !(def.Anonymous && f.Kind() == reflect.Struct):
			// unexported: encoding/json does not look at it
		case f.Type() == bytesType && f.Len() == 0 && strings.Contains(def.Tag.Get("json"), ",omitempty"):
			// a mark is not empty and would be written
		default:
			x.mark(f, depth)
		}
	}
}

// take keeps a copy of b and returns the mark that stands for it.
func (x *extractor) take(b []byte) []byte {
	n := nonce()
	m := make([]byte, markSize)
	copy(m, n[:])
	binary.BigEndian.PutUint32(m[markNonce+2:], uint32(len(x.found)))
	x.found = append(x.found, cloneBytes(b))
	return m
}

// appendRefs appends text to dst with placeholders instead of marks, and the
// binary values to bin in the order of the text.
func (x *extractor) appendRefs(dst []byte, bin [][]byte, text []byte) ([]byte, [][]byte) {
	if len(x.found) == 0 {
		return append(dst, text...), bin
	}
	n := nonce()
	prefix := append([]byte{'"'}, base64.StdEncoding.EncodeToString(n[:])...)
	size := base64.StdEncoding.EncodedLen(markSize) + 2
	for {
		i := bytes.Index(text, prefix)
		if i < 0 || len(text)-i < size {
			return append(dst, text...), bin
		}
		var m [markSize]byte
		_, err := base64.StdEncoding.Decode(m[:], text[i+1:i+size-1])
		at := int(binary.BigEndian.Uint32(m[markNonce+2:]))
		if err != nil || at >= len(x.found) {
			dst = append(dst, text[:i+1]...)
			text = text[i+1:]
			continue
		}
		dst = jsonscan.AppendRef(append(dst, text[:i]...), len(bin))
		bin = append(bin, x.found[at])
		text = text[i+size:]
	}
}

var (
	holders           sync.Map // reflect.Type -> bool
	jsonMarshalerType = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// mayHoldBytes reports whether encoding/json may find a []byte in a value of
// type t.
func mayHoldBytes(t reflect.Type) bool {
	if may, ok := holders.Load(t); ok {
		return may.(bool)
	}
	may := searchBytes(t, map[reflect.Type]bool{})
	holders.Store(t, may)
	return may
}

func searchBytes(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if p := reflect.PointerTo(t); t.Kind() != reflect.Interface &&
		(p.Implements(jsonMarshalerType) || p.Implements(textMarshalerType)) {
		return false
	}
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Slice:
		return t == bytesType || searchBytes(t.Elem(), seen)
	case reflect.Array, reflect.Map, reflect.Pointer:
		return searchBytes(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && searchBytes(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// inlineAttachments returns raw, valid JSON, with base64 text instead of
// placeholders, as encoding/json reads a []byte. Each attachment may be used
// once, as JavaScript does, so that the result is bounded by the input.
func inlineAttachments(raw []byte, bin [][]byte) ([]byte, error) {
	in := inliner{scanner: newScanner(raw, jsonscan.HardMaxDepth, 0), bin: bin, used: make([]bool, len(bin))}
	start := in.Space(0)
	if end := in.Value(start, 0); end < 0 {
		return nil, in.scanner.err()
	}
	in.copy(start)
	return in.out, in.failed
}

type inliner struct {
	scanner
	bin    [][]byte
	used   []bool
	out    []byte
	failed error
}

// copy writes the value at i and returns the index after it.
func (in *inliner) copy(i int) (end int) {
	end = in.Value(i, 0)
	switch in.at(i) {
	case '{':
		if ref := jsonscan.ParseRef(in.Data[i:end]); ref.Is() {
			in.inline(ref)
			return end
		}
	case '[':
	default:
		in.out = append(in.out, in.Data[i:end]...)
		return end
	}
	// Names cannot be placeholders, so that members and elements are copied
	// alike.
	for last := end - 1; i < last; {
		switch c := in.at(i); c {
		case '{', '[', ',', ':', ' ', '\t', '\n', '\r':
			in.out = append(in.out, c)
			i++
			if c == '{' || c == '[' || c == ',' || c == ':' {
				if i = in.Space(i); i < last {
					i = in.copy(i)
				}
			}
		}
	}
	in.out = append(in.out, in.Data[end-1])
	return end
}

func (in *inliner) inline(ref jsonscan.Ref) {
	b, err := resolve(ref, in.bin)
	if err == nil && in.used[ref.Index()] {
		err = fmt.Errorf("%w: number %d is used twice", ErrAttachment, ref.Index())
	}
	if err != nil {
		in.failed = err
		return
	}
	in.used[ref.Index()] = true
	in.out = append(in.out, '"')
	in.out = base64.StdEncoding.AppendEncode(in.out, b)
	in.out = append(in.out, '"')
}
