package engineio

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// decodePayload is the shape of the three payload decoders.
type decodePayload func(body []byte, yield func(Packet) error) error

// decode3 decodes with a fresh session, as at its first request.
func decode3(body []byte, yield func(Packet) error) error {
	return new(Payload3Decoder).DecodeText(body, yield)
}

// decode3Single decodes for a session that has proved to encode text once.
func decode3Single(body []byte, yield func(Packet) error) error {
	return (&Payload3Decoder{single: true}).DecodeText(body, yield)
}

// collect returns the packets that decode yields and its error.
func collect(decode decodePayload, body []byte) ([]Packet, error) {
	var ps []Packet
	err := decode(body, func(p Packet) error {
		ps = append(ps, p)
		return nil
	})
	return ps, err
}

func text(typ Type, data string) Packet { return Packet{Type: typ, Data: []byte(data)} }

func message(data string) Packet { return text(Message, data) }

func binaryMessage(data string) Packet {
	return Packet{Type: Message, Binary: true, Data: []byte(data)}
}

// diff compares packets; empty and nil data are the same.
func diff[T Packet | []Packet](want, got T) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// checkReason fails unless err is a *SyntaxError with the reason; "" means no
// error.
func checkReason(t *testing.T, err error, form, reason string) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return
	}
	syntax, ok := errors.AsType[*SyntaxError](err)
	if !ok {
		t.Fatalf("error %v, want a *SyntaxError with %q", err, reason)
	}
	if syntax.Form != form || syntax.Reason != reason {
		t.Errorf("error %q, want form %q and reason %q", syntax, form, reason)
	}
	if !errors.Is(err, ErrPacket) {
		t.Errorf("%v does not wrap ErrPacket", err)
	}
}

// double encodes s as the clients 1.x do: each byte of its UTF-8 becomes a
// character.
func double(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}
