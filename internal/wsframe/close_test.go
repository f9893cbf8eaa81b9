package wsframe

import "testing"

// TestCloseCodes sends every code of 16 bits. The ranges are those of RFC 6455
// section 7.4.2 and the IANA registry, written out per class.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	classes := []struct {
		name     string
		from, to int
		ok       bool
	}{
		{"not in use", 0, 999, false},
		{"normal, going away, protocol error, unsupported", 1000, 1003, true},
		{"no meaning", 1004, 1004, false},
		{"local only: no status, abnormal", 1005, 1006, false},
		{"invalid data to internal error", 1007, 1011, true},
		{"service restart, try again later, bad gateway", 1012, 1014, true},
		{"local only: TLS", 1015, 1015, false},
		{"reserved for the protocol", 1016, 2999, false},
		{"registered by libraries", 3000, 3999, true},
		{"private", 4000, 4999, true},
		{"out of range", 5000, 65535, false},
	}
	next := 0
	for _, c := range classes {
		if c.from != next {
			t.Fatalf("class %q starts at %d, want %d", c.name, c.from, next)
		}
		next = c.to + 1
		for code := c.from; code <= c.to; code++ {
			got := readPieces(t, server, stream(frame(fClose, string([]byte{byte(code >> 8), byte(code), 'x'}))))
			switch {
			case c.ok && (got.Violation != 0 || len(got.Messages) != 1 ||
				got.Messages[0].Code != uint16(code) || string(got.Messages[0].Data) != "x"):
				t.Errorf("%s: code %d: %+v, want it delivered", c.name, code, got)
			case !c.ok && got.Violation != BadCloseCode:
				t.Errorf("%s: code %d: %+v, want it refused", c.name, code, got)
			}
		}
	}
	if next != 1<<16 {
		t.Errorf("the classes end at %d", next)
	}
}
