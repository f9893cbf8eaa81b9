package forward

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
)

// keyring makes and checks the passes of requests. A pass is good for one boot
// of one home: who sees it, or is sent to by mistake, can do nothing with it
// elsewhere or after a restart. It does not protect what travels; Config.TLS
// does.
type keyring struct {
	keys   [][]byte // one for each secret; the first makes the passes that are sent
	accept [][]byte // the passes that are accepted here, of each key

	mu     sync.Mutex
	passes map[string]string // by boot id of the home
}

// purpose separates these keys from others that are made of the same secret.
const purpose = "siod forward 1"

// maxPasses bounds the passes remembered. There are as many as nodes, and those
// of nodes that ended.
const maxPasses = 1024

func newKeyring(secrets []string, self string) (*keyring, error) {
	k := &keyring{passes: make(map[string]string)}
	for _, s := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(s), nil, purpose, sha256.Size)
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, key)
		k.accept = append(k.accept, []byte(passFor(key, self)))
	}
	return k, nil
}

func passFor(key []byte, home string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(home))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// pass returns what a home accepts.
func (k *keyring) pass(home string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.passes[home]
	if !ok {
		if len(k.passes) >= maxPasses {
			clear(k.passes)
		}
		p = passFor(k.keys[0], home)
		k.passes[home] = p
	}
	return p
}

// ok reports whether a pass is one of this node's, in a time that does not tell
// which, nor how much of one.
func (k *keyring) ok(pass string) bool {
	good, p := 0, []byte(pass)
	for _, a := range k.accept {
		good |= subtle.ConstantTimeCompare(p, a)
	}
	return good == 1
}

// okFor reports whether a pass is one for another node: whoever made it knows a
// secret.
func (k *keyring) okFor(pass, home string) bool {
	good, p := 0, []byte(pass)
	for _, key := range k.keys {
		good |= subtle.ConstantTimeCompare(p, []byte(passFor(key, home)))
	}
	return good == 1
}
