package subject

// Shards is the number of shards that the rooms of a namespace are spread over.
const Shards = 1024

// Hash is FNV-1a of 64 bits over a subject: how digests name it (R22). It is
// fixed for ever.
func Hash(subject string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(subject) {
		h = (h ^ uint64(subject[i])) * 1099511628211
	}
	return h
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// ShardOf returns the two characters of a room's shard, which let a node
// subscribe many rooms at once without publishers knowing of it: [Hash] of the
// room's name, its two halves and then their two halves combined by exclusive
// or, modulo [Shards]; five bits to each character of base64url, the low ones
// first. It is fixed for ever.
func ShardOf(room string) string { return string(appendShard(nil, room)) }

func appendShard(dst []byte, room string) []byte {
	h := Hash(room)
	h ^= h >> 32
	h ^= h >> 16
	return append(dst, base64url[h&31], base64url[h>>5&31])
}

// isShard reports whether s is the shard of some room.
func isShard(s string) bool {
	return len(s) == 2 && isFive(s[0]) && isFive(s[1])
}

func isFive(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'f' }
