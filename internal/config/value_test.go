package config

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Size{
		"0": 0, "1": 1, "7B": 7, "1kB": 1000, "1KB": 1000, "2KiB": 2048, "1MB": 1_000_000, "1mib": 1 << 20, "3 GiB": 3 << 30, "1GB": 1e9,
	} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "B", "-1", "1.5MB", "1XB", "MB1", "9223372036854775807GiB", "99999999999999999999", "1 M B", "0x10"} {
		if got, err := ParseSize(s); err == nil {
			t.Errorf("%q was read as %d", s, got)
		}
	}
}

// What String writes, ParseSize reads.
func TestSizeRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := Size(rapid.OneOf(rapid.IntRange(0, 5000), rapid.IntRange(0, math.MaxInt)).Draw(t, "n"))
		if unit := rapid.SampledFrom([]Size{1, 1e3, 1 << 10, 1e6, 1 << 20, 1 << 30}).Draw(t, "unit"); n < math.MaxInt/unit {
			n *= unit
		}
		if got, err := ParseSize(n.String()); err != nil || got != n {
			t.Fatalf("%d is written %s and read as %d (%v)", n, n, got, err)
		}
	})
}

// What durationText writes, time.ParseDuration reads.
func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", 90 * time.Minute: "1h30m",
		time.Hour + time.Second: "1h0m1s", 800 * time.Millisecond: "800ms", 10 * time.Minute: "10m", 20 * time.Hour: "20h",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "d"))
		if got, err := time.ParseDuration(durationText(d)); err != nil || got != d {
			t.Fatalf("%v is written %s and read as %v (%v)", d, durationText(d), got, err)
		}
	})
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	names := []string{"ping_interval", "ping_timeout", "max_payload", "cors.origins", "log.level", "eio3", "listen"}
	for s, want := range map[string]string{
		"pingInterval": "ping_interval", "ping-timeout": "ping_timeout", "PING_INTERVAL": "ping_interval", "pnig_timeout": "ping_timeout",
		"max_paylod": "max_payload", "origins": "cors.origins", "level": "log.level", "eio": "eio3", "ping": "ping_timeout",
		"something": "", "x": "", "": "", "lsiten": "listen",
	} {
		if got := nearest(s, names); got != want {
			t.Errorf("%q: suggests %q, want %q", s, got, want)
		}
	}
}

// Our names for what other servers have are names that we have.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for theirs, ours := range elsewhere {
		if theTable().byKey[ours] == nil {
			t.Errorf("%s is said to be %s, and there is no such key", theirs, ours)
		}
		if plain(theirs) != theirs {
			t.Errorf("%q is not in plain letters", theirs)
		}
	}
}

// distance agrees with the definition: the fewest steps, found by trying all.
func TestDistance(t *testing.T) {
	t.Parallel()
	var slow func(a, b string) int
	slow = func(a, b string) int {
		if a == "" || b == "" {
			return len(a) + len(b)
		}
		cost := 1
		if a[0] == b[0] {
			cost = 0
		}
		d := min(slow(a[1:], b[1:])+cost, slow(a[1:], b)+1, slow(a, b[1:])+1)
		if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
			d = min(d, slow(a[2:], b[2:])+1)
		}
		return d
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := distance(a, b), slow(a, b); got != want {
			t.Fatalf("distance(%q, %q) = %d, want %d", a, b, got, want)
		}
	})
}

// Whatever stands in a file or the environment is read or refused in one line.
func FuzzRead(f *testing.F) {
	f.Add("ping_interval: 1s", "SIOD_MAX_ROOMS=1")
	f.Add("cors: {origins: [a, b]}", "SIOD_X")
	f.Add("log:\n  level: [", "SIOD_PORT_=")
	f.Add("? [a]\n: b", "SIOD_=")
	f.Add("1: 2\nnull: ~\n.nan: !!binary YQ==", "SIOD_CONFIG=")
	f.Add("&a a: *a", "SIOD_EVENT_RATE=1e999")
	f.Fuzz(func(t *testing.T, file, environ string) {
		if strings.Contains(environ, "SIOD_CONFIG") || strings.Contains(environ, "_FILE") || strings.Contains(file, "_file") {
			return // would read files of this machine
		}
		l, err := read(t, file, strings.Split(environ, "\n"), nil)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("%q has several lines", err)
			}
			return
		}
		if err := l.Transport().Validate(); err != nil {
			t.Errorf("read, and refused by the transport: %v\n%s\n%s", err, file, environ)
		}
	})
}
