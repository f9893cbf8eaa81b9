package membership

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// NewID draws a boot id: 26 lower-case letters and digits with at least 128
// random bits.
func NewID() string { return strings.ToLower(rand.Text()) }

// Token returns the token of a boot id: 6 characters of base64url, the first
// 36 bits of its SHA-256. Two of 1,000 nodes share one with a probability below
// 1 in 100,000; [Table] refuses the second.
func Token(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:5])[:TokenLen]
}
