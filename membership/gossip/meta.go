package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// What a node announces of itself is a version byte and fields: a tag, the
// length of the value as a uvarint, the value. The boot id is the name of the
// node in gossip, and its token follows from it. Unknown tags are skipped and a
// later version is read alike, so old and new nodes understand each other; what
// old ones must not read wrongly takes a new tag.
const (
	metaVersion = 1

	tagState   = 1 // one byte, a membership.State; unknown ones count as alive
	tagStarted = 2 // seconds since 1970, 8 bytes, and nanoseconds, 4 bytes, big-endian
	tagName    = 3
	tagAddr    = 4
	tagSoft    = 5 // version of the software
	tagMeta    = 6 // key and value by turns, each after its length as a uvarint
)

const (
	maxID = 64

	// maxNames bounds Name, Addr and Version together. What remains of a node's
	// 512 bytes is enough for the largest Meta.
	maxNames = 224

	// maxFixed is the rest: version byte, state, start, the heads of the four
	// other fields, and what long keys and values of Meta take beyond the two
	// bytes an entry that membership.CheckMeta counts.
	maxFixed = 1 + 3 + 14 + 4*3 + 2

	_ = uint(memberlist.MetaMaxSize - maxFixed - maxNames - membership.MaxMeta) // it fits
)

var errMeta = errors.New("malformed announcement")

// checkID reports what is wrong with a boot id.
func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("boot id of %d bytes, must be 1 to %d", len(id), maxID)
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return errors.New("boot id is not printable ASCII without spaces")
		}
	}
	return nil
}

// encodeMember returns what a node announces. The result has at most
// memberlist.MetaMaxSize bytes if Validate and CheckMeta accepted m.
func encodeMember(m membership.Member) []byte {
	b := make([]byte, 1, memberlist.MetaMaxSize)
	b[0] = metaVersion
	if m.State != membership.Alive {
		b = append(b, tagState, 1, byte(m.State))
	}
	if !m.Started.IsZero() {
		b = append(b, tagStarted, 12)
		b = binary.BigEndian.AppendUint64(b, uint64(m.Started.Unix()))
		b = binary.BigEndian.AppendUint32(b, uint32(m.Started.Nanosecond()))
	}
	for i, s := range []string{m.Name, m.Addr, m.Version} {
		if s != "" {
			b = appendString(append(b, byte(tagName+i)), s)
		}
	}
	if len(m.Meta) > 0 {
		var pairs []byte
		for _, k := range slices.Sorted(maps.Keys(m.Meta)) {
			pairs = appendString(appendString(pairs, k), m.Meta[k])
		}
		b = appendString(append(b, tagMeta), string(pairs))
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutString takes a string and its length off b. The result aliases b.
func cutString(b []byte) (s, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n)], b[k+int(n):], true
}

// decodeMember reads what the node with a boot id announced. The result does not
// alias b.
func decodeMember(id string, b []byte) (membership.Member, error) {
	m := membership.Member{ID: id, Token: membership.Token(id)}
	if err := checkID(id); err != nil {
		return m, err
	}
	if len(b) == 0 || b[0] < metaVersion {
		return m, errMeta
	}
	for b = b[1:]; len(b) > 0; {
		tag := b[0]
		value, rest, ok := cutString(b[1:])
		if !ok {
			return m, errMeta
		}
		b = rest
		if err := setField(&m, tag, value); err != nil {
			return m, err
		}
	}
	return m, nil
}

func setField(m *membership.Member, tag byte, value []byte) error {
	switch tag {
	case tagState:
		if len(value) != 1 {
			return errMeta
		}
		m.State = membership.Alive
		if s := membership.State(value[0]); s == membership.Leaving || s == membership.Left {
			m.State = s
		}
	case tagStarted:
		if len(value) != 12 {
			return errMeta
		}
		nanos := binary.BigEndian.Uint32(value[8:])
		if nanos >= 1e9 {
			return errMeta
		}
		m.Started = time.Unix(int64(binary.BigEndian.Uint64(value)), int64(nanos))
	case tagName:
		m.Name = string(value)
	case tagAddr:
		m.Addr = string(value)
	case tagSoft:
		m.Version = string(value)
	case tagMeta:
		meta, err := decodePairs(value)
		if err != nil {
			return err
		}
		m.Meta = meta
	}
	return nil
}

func decodePairs(b []byte) (map[string]string, error) {
	meta := make(map[string]string)
	for len(b) > 0 {
		key, rest, ok := cutString(b)
		if !ok {
			return nil, errMeta
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return nil, errMeta
		}
		b = rest
		if _, ok := meta[string(key)]; ok {
			return nil, errMeta
		}
		meta[string(key)] = string(value)
	}
	return meta, membership.CheckMeta(meta)
}
