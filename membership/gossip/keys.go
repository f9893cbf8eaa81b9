package gossip

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// ErrSecrets: the secrets cannot be used: one is too short, or encryption would
// be turned on or off while the node runs.
var ErrSecrets = errors.New("gossip: unusable secrets")

func checkSecrets(secrets []string) error {
	for i, s := range secrets {
		if len(s) < minSecret {
			return fmt.Errorf("%w: Secrets[%d] has %d bytes, at least %d", ErrSecrets, i, len(s), minSecret)
		}
	}
	return nil
}

// deriveKeys makes an AES-256 key of each secret (HKDF, RFC 5869). The purpose and
// the cluster are in the info, so that one secret can serve other purposes.
func deriveKeys(cluster string, secrets []string) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		k, err := hkdf.Key(sha256.New, []byte(s), nil, "siod gossip 1 "+cluster, 32)
		if err != nil {
			return nil, fmt.Errorf("gossip: derive key: %w", err)
		}
		keys[i] = k
	}
	return keys, nil
}

// newKeyring returns nil without secrets: no encryption.
func newKeyring(cluster string, secrets []string) (*memberlist.Keyring, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	keys, err := deriveKeys(cluster, secrets)
	if err != nil {
		return nil, err
	}
	return memberlist.NewKeyring(keys, keys[0])
}

// SetSecrets replaces the secrets while the node runs, as Config.Secrets says.
// From its return on, the first one is used to send and the others are no
// longer accepted.
//
// Errors: [ErrSecrets].
func (g *Gossip) SetSecrets(secrets []string) error {
	if err := checkSecrets(secrets); err != nil {
		return err
	}
	if (len(secrets) == 0) != (g.keyring == nil) {
		return fmt.Errorf("%w: encryption cannot be turned on or off while the node runs", ErrSecrets)
	}
	if len(secrets) == 0 {
		return nil
	}
	keys, err := deriveKeys(g.cfg.Cluster, secrets)
	if err != nil {
		return err
	}
	g.keysMu.Lock()
	defer g.keysMu.Unlock()
	return setKeys(g.keyring, keys)
}

// setKeys makes the ring hold these keys alone, the first one to send with.
//
// The ring removes a key by moving those behind it within a slice that readers
// still use, so a key is removed only where it stands last. UseKey moves one to
// the front and keeps the order of the others: used in reverse order, the new
// keys end up in front of all old ones.
func setKeys(ring *memberlist.Keyring, keys [][]byte) error {
	for _, k := range keys {
		if err := ring.AddKey(k); err != nil {
			return err
		}
	}
	for _, k := range slices.Backward(keys) {
		if err := ring.UseKey(k); err != nil {
			return err
		}
	}
	all := ring.GetKeys()
	for _, k := range slices.Backward(all) {
		if slices.ContainsFunc(keys, func(n []byte) bool { return slices.Equal(n, k) }) {
			return nil
		}
		if err := ring.RemoveKey(k); err != nil {
			return err
		}
	}
	return nil
}
