package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// The seeds are in testdata/fuzz, one file each, and run with every go test.

// FuzzDecode gives any bytes to the decoder: nothing panics or is written to,
// an error is one of the three kinds, what is accepted is within the limits,
// keeps little in memory that does not belong to it, and is the same message
// when it is encoded and decoded again.
func FuzzDecode(f *testing.F) {
	limits := backplane.Limits{Payload: 4 << 10, Targets: 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		m, err := wire.Decode(data, limits)
		if !bytes.Equal(before, data) {
			t.Fatalf("%x became %x", before, data)
		}
		var used wire.Message
		if errUsed := used.Decode(whole().Append(nil), backplane.Limits{}); errUsed != nil {
			t.Fatal(errUsed)
		}
		if errUsed := used.Decode(data, limits); (errUsed == nil) != (err == nil) {
			t.Fatalf("%v, into a used message %v", err, errUsed)
		}
		if err != nil {
			version, isVersion := errors.AsType[*wire.VersionError](err)
			limit, isLimit := errors.AsType[*backplane.LimitError](err)
			switch {
			case isVersion && version.Got == data[0] && version.Got != wire.Version:
			case isLimit && limit.Got > limit.Max:
			case errors.Is(err, wire.ErrMalformed):
			default:
				t.Fatalf("error %v", err)
			}
			return
		}
		if d := diff(m, &used); d != "" {
			t.Fatalf("into a used message (-afresh +used):\n%s", d)
		}
		if err := limits.Check(&m.Envelope); err != nil || len(m.Sender) > backplane.MaxID {
			t.Fatalf("accepted: %v, sender of %d", err, len(m.Sender))
		}
		again := m.Append(nil)
		if len(again) != m.Len() {
			t.Fatalf("%d bytes, Len() said %d", len(again), m.Len())
		}
		// Every field may spell its tag and its number or length in 10 bytes.
		fields := 17 + len(m.Target.Rooms) + len(m.Target.Except) + len(m.Frames.Binary)
		if most := len(again) + wire.MaxUnknown + 20*fields; len(data) > most {
			t.Fatalf("%d bytes are kept for a message of %d", len(data), len(again))
		}
		back, err := wire.Decode(again, limits)
		if err != nil {
			t.Fatalf("%x encoded again is %x: %v", data, again, err)
		}
		if d := diff(m, back); d != "" {
			t.Fatalf("encoded again (-once +twice):\n%s", d)
		}
	})
}
