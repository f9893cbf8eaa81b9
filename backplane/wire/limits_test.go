package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// Whatever a sender let pass, each limit is kept by the receiver, and what is
// just within it arrives.
func TestLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("\xff", n) }
	many := func(field, n int) []byte { return bytes.Repeat(text(field, ""), n) }
	for name, tt := range map[string]struct {
		limits   backplane.Limits
		at, over []byte
		want     backplane.LimitError
	}{
		"namespace":     {at: text(6, long(128)), over: text(6, long(129)), want: backplane.LimitError{Limit: "Namespace", Max: 128, Got: 129}},
		"room":          {at: text(7, long(256)), over: text(7, long(257)), want: backplane.LimitError{Limit: "Room", Max: 256, Got: 257}},
		"except":        {at: text(8, long(256)), over: text(8, long(300)), want: backplane.LimitError{Limit: "Room", Max: 256, Got: 300}},
		"room set":      {limits: backplane.Limits{Room: 4096}, at: text(7, long(4096)), over: text(7, long(4097)), want: backplane.LimitError{Limit: "Room", Max: 4096, Got: 4097}},
		"room most":     {limits: backplane.Limits{Room: 1 << 30}, at: text(7, long(4096)), over: text(7, long(4097)), want: backplane.LimitError{Limit: "Room", Max: 4096, Got: 4097}},
		"rooms":         {at: many(7, 256), over: many(7, 257), want: backplane.LimitError{Limit: "Targets", Max: 256, Got: 257}},
		"excepts":       {at: many(8, 256), over: many(8, 100_000), want: backplane.LimitError{Limit: "Targets", Max: 256, Got: 100_000}},
		"rooms set":     {limits: backplane.Limits{Targets: 2}, at: many(7, 2), over: many(7, 3), want: backplane.LimitError{Limit: "Targets", Max: 2, Got: 3}},
		"attachments":   {at: many(10, 256), over: many(10, 257), want: backplane.LimitError{Limit: "Attachments", Max: 256, Got: 257}},
		"origin":        {at: text(4, long(64)), over: text(4, long(65)), want: backplane.LimitError{Limit: "ID", Max: 64, Got: 65}},
		"sender":        {at: text(15, long(64)), over: text(15, long(65)), want: backplane.LimitError{Limit: "ID", Max: 64, Got: 65}},
		"key":           {at: text(12, long(256)), over: text(12, long(257)), want: backplane.LimitError{Limit: "Key", Max: 256, Got: 257}},
		"traceparent":   {at: text(17, long(128)), over: text(17, long(129)), want: backplane.LimitError{Limit: "Traceparent", Max: 128, Got: 129}},
		"name":          {at: text(20, long(256)), over: text(20, long(257)), want: backplane.LimitError{Limit: "Room", Max: 256, Got: 257}},
		"text":          {at: text(9, long(1<<20)), over: text(9, long(1<<20+1)), want: backplane.LimitError{Limit: "Payload", Max: 1 << 20, Got: 1<<20 + 1}},
		"payload":       {limits: backplane.Limits{Payload: 9}, at: bytes.Join([][]byte{text(9, "abc"), text(10, "def"), text(11, "ghi")}, nil), over: bytes.Join([][]byte{text(9, "abc"), text(10, "d"), text(10, "ef"), text(11, "ghij")}, nil), want: backplane.LimitError{Limit: "Payload", Max: 9, Got: 10}},
		"in any order":  {at: bytes.Join([][]byte{many(7, 100), many(8, 5), many(7, 156)}, nil), over: bytes.Join([][]byte{many(7, 100), many(8, 5), many(7, 157)}, nil), want: backplane.LimitError{Limit: "Targets", Max: 256, Got: 257}},
		"one at a time": {at: bytes.Repeat(append(text(7, "a"), text(8, "b")...), 256), over: bytes.Repeat(append(text(7, "a"), text(8, "b")...), 257), want: backplane.LimitError{Limit: "Targets", Max: 256, Got: 257}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := wire.Decode(message(tt.at), tt.limits)
			if err != nil {
				t.Fatalf("at the limit: %v", err)
			}
			back, err := wire.Decode(m.Append(nil), tt.limits)
			if err != nil || diff(m, back) != "" {
				t.Errorf("encoded again: %v\n%s", err, diff(m, back))
			}
			m, err = wire.Decode(message(tt.over), tt.limits)
			if e, ok := errors.AsType[*backplane.LimitError](err); !ok || *e != tt.want || m != nil {
				t.Errorf("over the limit: %v, want %v", err, &tt.want)
			}
		})
	}
}

// A message that is over a limit and malformed later on is malformed: it is
// read to its end.
func TestMalformedBeforeLimits(t *testing.T) {
	t.Parallel()
	data := message(text(6, strings.Repeat("x", 1000)), field(1, 0))
	if _, err := wire.Decode(data, backplane.Limits{}); !errors.Is(err, wire.ErrMalformed) {
		t.Error(err)
	}
}
