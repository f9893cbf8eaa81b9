package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as 4096, 64KiB or 1MB.
type Size int

// units, the largest first; of two that fit, String takes the first.
var units = []struct {
	name  string
	bytes int
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3},
}

var errSize = errors.New("is not a size: write one such as 64KiB, 1MB or 4096")

// ParseSize reads a whole number of bytes with an optional unit: B, kB, MB and
// GB are powers of 1,000, KiB, MiB and GiB of 1,024. Case does not matter.
func ParseSize(s string) (Size, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.TrimSpace(s[len(digits):])
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return 0, errSize
	}
	if unit == "" || strings.EqualFold(unit, "B") {
		return Size(n), nil
	}
	for _, u := range units {
		if strings.EqualFold(unit, u.name) {
			if n > math.MaxInt/u.bytes {
				return 0, errSize
			}
			return Size(n * u.bytes), nil
		}
	}
	return 0, errSize
}

// String writes the size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && int(s)%u.bytes == 0 {
			return strconv.Itoa(int(s)/u.bytes) + u.name
		}
	}
	return strconv.Itoa(int(s)) + "B"
}
