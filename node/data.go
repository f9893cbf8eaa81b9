package node

import (
	"encoding/json"
	"maps"
)

// Key is a typed piece of a socket's data. Data is kept for the socket's life,
// is shown by FetchSockets, and survives a recovery; so values are JSON.
//
//	var nameKey = node.NewKey[string]("name")
//	nameKey.Set(s, "Ada")
type Key[T any] struct{ name string }

// NewKey returns the key with the given name. Two keys of one name are the
// same piece of data and must have the same type.
func NewKey[T any](name string) Key[T] { return Key[T]{name} }

// Set stores a value. The value must not be changed afterwards.
//
// Errors: ErrNotJournaled; the value is set all the same.
func (k Key[T]) Set(s *Socket, v T) error {
	made, late := s.journaled(&change{key: k.name, value: v, set: true})
	defer made()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = make(map[string]any)
	}
	s.data[k.name] = v
	return late
}

// Get returns the value, and whether there is one of this type.
func (k Key[T]) Get(s *Socket) (T, bool) {
	s.mu.Lock()
	v := s.data[k.name]
	s.mu.Unlock()
	raw, ok := v.(rawData) // of a recovered session; asked first, since T may be any
	if !ok {
		t, ok := v.(T)
		return t, ok
	}
	var t T
	if err := s.ns.srv.cfg.Codec.DecodeValue(raw, nil, &t); err != nil {
		return t, false
	}
	return k.settle(s, t), true
}

// settle keeps a decoded value, unless somebody was faster: all get the same.
func (k Key[T]) settle(s *Socket, v T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.data[k.name]
	if _, raw := now.(rawData); raw {
		s.data[k.name] = v
	} else if t, ok := now.(T); ok {
		return t
	}
	return v
}

// Delete removes the value. Errors are those of Set.
func (k Key[T]) Delete(s *Socket) error {
	made, late := s.journaled(&change{key: k.name, unset: true})
	defer made()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.data, k.name)
	return late
}

// rawData is a value that is still encoded.
type rawData []byte

// dataRaw encodes the socket's data, for other servers.
func (s *Socket) dataRaw() map[string]json.RawMessage {
	s.mu.Lock()
	data := maps.Clone(s.data) // encoding is the application's code
	s.mu.Unlock()
	return s.ns.srv.encodeData(data)
}

// encodeData leaves out values that have no JSON, or binary parts, or panic.
func (srv *Server) encodeData(data map[string]any) map[string]json.RawMessage {
	if len(data) == 0 {
		return nil
	}
	out := make(map[string]json.RawMessage, len(data))
	for k, v := range data {
		if raw, ok := v.(rawData); ok {
			out[k] = json.RawMessage(raw)
			continue
		}
		_ = srv.guard("MarshalJSON", func() error {
			b, bin, err := srv.cfg.Codec.AppendValue(nil, nil, v)
			if err == nil && len(bin) == 0 {
				out[k] = b
			}
			return err
		})
	}
	return out
}
