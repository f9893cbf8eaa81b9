package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

var maxVarint = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                  {nil, "empty at byte 0 of 0"},
		"unfinished tag":           {[]byte{1, 0x80}, "unfinished tag at byte 1 of 2"},
		"endless tag":              {append([]byte{1}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"...), "unfinished tag"},
		"field 0":                  {message(field(0, 0, 1)), "field number out of range"},
		"field 2^29":               {message(field(1<<29, 0, 1)), "field number out of range"},
		"no number":                {message(field(1, 0)), "unfinished number"},
		"unfinished number":        {message(field(5, 0, 0x80, 0x80)), "unfinished number"},
		"number of 65 bits":        {message(field(5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02)), "unfinished number"},
		"kind of 9 bits":           {message(number(1, 256)), "number out of range"},
		"operation of 9 bits":      {message(number(3, 256)), "number out of range"},
		"timeout of 64 bits":       {message(number(16, 1<<63)), "number out of range"},
		"no length":                {message(field(4, 2)), "unfinished length"},
		"unfinished length":        {message(field(4, 2, 0x80)), "unfinished length"},
		"a byte too short":         {message(field(4, 2, 2, 'x')), "length beyond the end at byte 3 of 4"},
		"length of 2^64-1":         {message(field(9, 2, maxVarint...)), "length beyond the end"},
		"length of 2^63":           {message(field(7, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)), "length beyond the end"},
		"length of 2^31":           {message(field(10, 2, 0x80, 0x80, 0x80, 0x80, 0x08)), "length beyond the end"},
		"unknown and too long":     {message(field(99, 2, maxVarint...)), "length beyond the end"},
		"unknown and unfinished":   {message(field(99, 0, 0x80)), "unfinished number"},
		"unknown, 7 of 8 bytes":    {message(field(99, 1, 1, 2, 3, 4, 5, 6, 7)), "unfinished number"},
		"unknown, 3 of 4 bytes":    {message(field(99, 5, 1, 2, 3)), "unfinished number"},
		"a group":                  {message(field(99, 3), field(99, 4)), "refused wire type"},
		"groups in groups":         {message([]byte(strings.Repeat(string(field(99, 3)), 1<<16))), "refused wire type at byte 3"},
		"end of a group":           {message(field(99, 4)), "refused wire type"},
		"wire type 6":              {message(field(99, 6, 1)), "refused wire type"},
		"wire type 7":              {message(field(99, 7, 1)), "refused wire type"},
		"origin as a number":       {message(number(4, 5)), "number where bytes are due"},
		"rooms as a group":         {message(field(7, 3), field(7, 4)), "number where bytes are due"},
		"kind as bytes":            {message(text(1, "x")), "something else where a number is due"},
		"counter as 8 bytes":       {message(field(13, 1, 1, 0, 0, 0, 0, 0, 0, 0)), "something else where a number is due"},
		"two kinds":                {message(number(1, 1), number(1, 2)), "second value of a field that has one"},
		"two absent kinds":         {message(number(1, 0), number(1, 0)), "second value of a field that has one"},
		"two namespaces":           {message(text(6, "/a"), text(9, "x"), text(6, "/b")), "second value of a field that has one"},
		"two names":                {message(text(20, "a"), text(20, "b")), "second value of a field that has one"},
		"too much unknown":         {message(text(21, strings.Repeat("x", wire.MaxUnknown))), "more than 4096 bytes of unknown fields"},
		"too much unknown, pieces": {message([]byte(strings.Repeat(string(number(1000, 1)), wire.MaxUnknown/3+1))), "more than 4096 bytes of unknown fields"},
		"a sequence of JSON":       {[]byte("\x01{}"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := wire.Decode(tt.data, backplane.Limits{})
			if !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), tt.want) || m != nil {
				t.Errorf("%v, want %q; message %v", err, tt.want, m)
			}
		})
	}
}

func TestOtherVersions(t *testing.T) {
	t.Parallel()
	body := whole().Append(nil)[1:]
	for _, v := range []byte{0, 2, 3, '{', 'P', 0x80, 0xff} {
		for _, data := range [][]byte{{v}, append([]byte{v}, body...)} {
			_, err := wire.Decode(data, backplane.Limits{})
			e, ok := errors.AsType[*wire.VersionError](err)
			if !ok || e.Got != v || errors.Is(err, wire.ErrMalformed) {
				t.Errorf("version %d: %v", v, err)
			}
		}
	}
	const want = "wire: message of version 2, this process reads version 1"
	if got := (&wire.VersionError{Got: 2}).Error(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Between two fields a cut cannot be seen, and there it is a whole message of
// fewer fields; NATS says how long a message is. Everywhere else it is refused.
func TestTruncated(t *testing.T) {
	t.Parallel()
	data := whole().Append(nil)
	border := map[int]bool{1: true}
	at := 1
	for _, f := range split(t, data) {
		at += len(f)
		border[at] = true
	}
	if at != len(data) || len(border) < 20 {
		t.Fatalf("%d borders up to %d of %d", len(border), at, len(data))
	}
	for n := range data {
		m, err := wire.Decode(data[:n:n], backplane.Limits{})
		if border[n] {
			if err != nil || string(m.Append(nil)) != string(data[:n]) {
				t.Errorf("after %d bytes: %v", n, err)
			}
		} else if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("in the middle of a field, after %d bytes: %v", n, err)
		}
	}
}

// Newer releases may say more within a version: older ones pass over it.
func TestUnknownIsSkipped(t *testing.T) {
	t.Parallel()
	unknown := [][]byte{
		number(21, 1), number(1<<29-1, 1<<64-1), text(22, "news"), text(1000, ""),
		field(23, 1, 1, 2, 3, 4, 5, 6, 7, 8), field(24, 5, 1, 2, 3, 4),
		text(21, strings.Repeat("x", 3<<10)), text(21, "again"),
	}
	want := whole()
	fields := split(t, want.Append(nil))
	for at := range len(fields) + 1 {
		var mixed [][]byte
		mixed = append(append(append(mixed, fields[:at]...), unknown...), fields[at:]...)
		got, err := wire.Decode(message(mixed...), backplane.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			t.Errorf("unknown fields after %d others (-want +got):\n%s", at, d)
		}
	}
	most := message(text(21, strings.Repeat("x", wire.MaxUnknown-4)))
	if _, err := wire.Decode(most, backplane.Limits{}); err != nil {
		t.Errorf("%d bytes of unknown fields: %v", len(most)-1, err)
	}
}

func TestUnknownValues(t *testing.T) {
	t.Parallel()
	m, err := wire.Decode(message(number(2, 1<<40|1<<15|1), number(1, 77), number(14, 2), number(18, 1<<33)), backplane.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Flags.Has(backplane.FlagVolatile) || m.Flags.Has(backplane.FlagDegraded) {
		t.Errorf("flags %b", m.Flags)
	}
	if m.Kind != 77 || !m.Baseline || !m.Final {
		t.Errorf("%+v", m)
	}
}
