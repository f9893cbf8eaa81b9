package wsframe

import (
	"strings"
	"testing"
)

// Each case breaks or touches one rule. It is read whole, byte by byte and by
// the reference, which must agree.
var ruleCases = []struct {
	name string
	cfg  Config
	in   []byte
	want outcome
}{
	{"text", server, stream(frame(fText, "hello")), outcome{Messages: []Message{text("hello")}}},
	{"binary", server, stream(frame(fBinary, "\xff\x00")), outcome{Messages: []Message{binMsg("\xff\x00")}}},
	{"empty text", server, stream(frame(fText, "")), outcome{Messages: []Message{text("")}}},
	{"two in one buffer", server, stream(frame(fText, "a"), frame(fText, "b")),
		outcome{Messages: []Message{text("a"), text("b")}}},
	{"ping and pong", server, stream(frame(fPing, "x"), frame(fPong, "")),
		outcome{Messages: []Message{ping("x"), pong("")}}},

	// RFC 6455 section 5.2: reserved bits.
	{"rsv1", server, stream(frame(fText|bitRsv1, "a")), outcome{Violation: BadReservedBits}},
	{"rsv2", server, stream(frame(fText|bitRsv2, "a")), outcome{Violation: BadReservedBits}},
	{"rsv3", server, stream(frame(fText|bitRsv3, "a")), outcome{Violation: BadReservedBits}},
	{"rsv2 with deflate", serverDeflate, stream(frame(fText|bitRsv2, "a")), outcome{Violation: BadReservedBits}},
	{"rsv1 and rsv3 with deflate", serverDeflate, stream(frame(fText|bitRsv1|bitRsv3, "a")),
		outcome{Violation: BadReservedBits}},
	// RFC 7692 section 6: RSV1 only on the first frame of a message.
	{"rsv1 on a continuation", serverDeflate, stream(frame(0x1|bitRsv1, ""), frame(fCont|bitRsv1, "\x00")),
		outcome{Violation: BadReservedBits}},
	{"rsv1 on a ping", serverDeflate, stream(frame(fPing|bitRsv1, "\x00")), outcome{Violation: BadReservedBits}},
	{"rsv1 on a close", serverDeflate, stream(frame(fClose|bitRsv1, "")), outcome{Violation: BadReservedBits}},

	// RFC 6455 section 5.2: opcodes.
	{"opcode 3", server, stream(frame(bitFin|0x3, "")), outcome{Violation: BadOpcode}},
	{"opcode 4", server, stream(frame(bitFin|0x4, "")), outcome{Violation: BadOpcode}},
	{"opcode 5", server, stream(frame(bitFin|0x5, "")), outcome{Violation: BadOpcode}},
	{"opcode 6", server, stream(frame(bitFin|0x6, "")), outcome{Violation: BadOpcode}},
	{"opcode 7", server, stream(frame(bitFin|0x7, "")), outcome{Violation: BadOpcode}},
	{"opcode 11", server, stream(frame(bitFin|0xb, "")), outcome{Violation: BadOpcode}},
	{"opcode 12", server, stream(frame(bitFin|0xc, "")), outcome{Violation: BadOpcode}},
	{"opcode 13", server, stream(frame(bitFin|0xd, "")), outcome{Violation: BadOpcode}},
	{"opcode 14", server, stream(frame(bitFin|0xe, "")), outcome{Violation: BadOpcode}},
	{"opcode 15", server, stream(frame(bitFin|0xf, "")), outcome{Violation: BadOpcode}},
	{"opcode 15 after a message", server, stream(frame(fText, "a"), frame(bitFin|0xf, "")),
		outcome{Messages: []Message{text("a")}, Violation: BadOpcode}},

	// RFC 6455 section 5.1: masking.
	{"unmasked client frame", server, stream(wire{b0: fText, unmasked: true, payload: []byte("a")}),
		outcome{Violation: BadMask}},
	{"unmasked client ping", server, stream(wire{b0: fPing, unmasked: true}), outcome{Violation: BadMask}},
	{"masked server frame", Config{}, stream(frame(fText, "a")), outcome{Violation: BadMask}},
	{"server frame", Config{}, stream(wire{b0: fText, unmasked: true, payload: []byte("a")}),
		outcome{Messages: []Message{text("a")}}},

	// RFC 6455 section 5.5: control frames.
	{"ping of 125 bytes", server, stream(frame(fPing, strings.Repeat("p", 125))),
		outcome{Messages: []Message{ping(strings.Repeat("p", 125))}}},
	{"ping of 126 bytes", server, stream(frame(fPing, strings.Repeat("p", 126))), outcome{Violation: BadControl}},
	{"ping of 5 bytes in a long form", server, stream(wire{b0: fPing, form: 2, payload: []byte("hello")}),
		outcome{Violation: BadControl}},
	{"close of 126 bytes", server, stream(frame(fClose, "\x03\xe8"+strings.Repeat("p", 124))),
		outcome{Violation: BadControl}},
	{"ping in fragments", server, stream(frame(0x9, "a")), outcome{Violation: BadControl}},
	{"pong in fragments", server, stream(frame(0xa, "a")), outcome{Violation: BadControl}},
	{"close in fragments", server, stream(frame(0x8, "")), outcome{Violation: BadControl}},

	// RFC 6455 section 5.4: fragmentation.
	{"fragments", server, stream(frame(0x1, "hel"), frame(0x0, ""), frame(fCont, "lo")),
		outcome{Messages: []Message{text("hello")}}},
	{"fragments, last one empty", server, stream(frame(0x2, "hel"), frame(fCont, "")),
		outcome{Messages: []Message{binMsg("hel")}}},
	{"fragments, all empty", server, stream(frame(0x2, ""), frame(fCont, "")),
		outcome{Messages: []Message{binMsg("")}}},
	{"control frames between fragments", server,
		stream(frame(0x1, "hel"), frame(fPing, "1"), frame(fPong, "2"), frame(0x0, "l"), frame(fPing, ""), frame(fCont, "o")),
		outcome{Messages: []Message{ping("1"), pong("2"), ping(""), text("hello")}}},
	{"close between fragments", server, stream(frame(0x1, "hel"), frame(fClose, "\x03\xe8bye"), frame(fCont, "lo")),
		outcome{Messages: []Message{closing(1000, "bye")}}},
	{"final continuation without start", server, stream(frame(fCont, "a")), outcome{Violation: BadContinuation}},
	{"continuation without start", server, stream(frame(0x0, "a")), outcome{Violation: BadContinuation}},
	{"continuation after a whole message", server, stream(frame(fText, "a"), frame(fCont, "b")),
		outcome{Messages: []Message{text("a")}, Violation: BadContinuation}},
	{"continuation after a fragmented message", server, stream(frame(0x1, "a"), frame(fCont, "b"), frame(fCont, "c")),
		outcome{Messages: []Message{text("ab")}, Violation: BadContinuation}},
	{"text inside a fragmented message", server, stream(frame(0x1, "a"), frame(fText, "b")),
		outcome{Violation: BadInterleave}},
	{"binary fragment inside a fragmented message", server, stream(frame(0x1, "a"), frame(0x2, "b")),
		outcome{Violation: BadInterleave}},

	// RFC 6455 section 5.5.1 and 7.1.5: close.
	{"close without payload", server, stream(frame(fClose, "")), outcome{Messages: []Message{closing(1005, "")}}},
	{"close with code", server, stream(frame(fClose, "\x03\xe9")), outcome{Messages: []Message{closing(1001, "")}}},
	{"close with reason", server, stream(frame(fClose, "\x0f\xa0käse")),
		outcome{Messages: []Message{closing(4000, "käse")}}},
	{"close of one byte", server, stream(frame(fClose, "\x03")), outcome{Violation: BadClosePayload}},
	{"close 1005", server, stream(frame(fClose, "\x03\xed")), outcome{Violation: BadCloseCode}},
	{"close reason not UTF-8", server, stream(frame(fClose, "\x03\xe8\xff")), outcome{Violation: BadCloseReason}},
	{"bytes after a close", server, append(stream(frame(fClose, "")), "\xff\xff\xff anything"...),
		outcome{Messages: []Message{closing(1005, "")}}},

	// RFC 6455 section 5.2: lengths.
	{"16-bit length below 126", server, stream(wire{b0: fText, form: 2, payload: []byte("a")}),
		outcome{Messages: []Message{text("a")}}},
	{"64-bit length below 126", server, stream(wire{b0: fText, form: 8, payload: []byte("a")}),
		outcome{Messages: []Message{text("a")}}},
	{"64-bit length with the top bit", server, stream(wire{b0: fText, form: 8, claim: -1}),
		outcome{Violation: BadLength}},
	{"64-bit length with only the top bit", server, stream(wire{b0: fText, form: 8, claim: -1 << 63}),
		outcome{Violation: BadLength}},
	{"largest length", server, stream(wire{b0: fText, form: 8, claim: 1<<63 - 1}), outcome{Violation: TooBig}},
	{"sum of lengths overflows", server, stream(frame(0x2, "abc"), wire{b0: fCont, form: 8, claim: 1<<63 - 2}),
		outcome{Violation: TooBig}},

	// RFC 6455 section 8.1: UTF-8; the corpus is in utf8_test.go.
	{"text not UTF-8", server, stream(frame(fText, "a\xff")), outcome{Violation: BadText}},
	{"character over two fragments", server, stream(frame(0x1, "\xe2\x82"), frame(fCont, "\xac")),
		outcome{Messages: []Message{text("€")}}},
	{"text cut inside a character", server, stream(frame(0x1, "\xe2"), frame(fCont, "\x82")),
		outcome{Violation: BadText}},
	{"binary is any bytes", server, stream(frame(0x2, "\xe2"), frame(fCont, "\x82")),
		outcome{Messages: []Message{binMsg("\xe2\x82")}}},

	// Where a stream may stop.
	{"nothing", server, nil, outcome{}},
	{"one byte", server, []byte{fText}, outcome{Partial: true}},
	{"inside a header", server, []byte{fText, 0x85, 1, 2}, outcome{Partial: true}},
	{"after a header", server, stream(wire{b0: fText, claim: 5}), outcome{Partial: true}},
	{"inside a payload", server, stream(wire{b0: fText, claim: 5, payload: []byte("ab")}), outcome{Partial: true}},
	{"inside a ping", server, stream(wire{b0: fPing, claim: 5, payload: []byte("ab")}), outcome{Partial: true}},
	{"between fragments", server, stream(frame(0x1, "ab")), outcome{Partial: true}},
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, tc := range ruleCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantOutcome(t, readPieces(t, tc.cfg, tc.in), tc.want)
			wantOutcome(t, readPieces(t, tc.cfg, bytewise(tc.in)...), tc.want)
			wantOutcome(t, reference(tc.cfg, tc.in), tc.want)
		})
	}
}

func TestErrorIsFinal(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Init(server)
	_, _, _, first := r.Next(stream(frame(bitFin|0xf, "")))
	if first == nil {
		t.Fatal("no error for a reserved opcode")
	}
	m, n, ok, err := r.Next(stream(frame(fText, "good")))
	if err != first || ok || n != 0 || m.Data != nil {
		t.Errorf("Next after an error: %v, %d, %t, %v; want the error again", m, n, ok, err)
	}
	if r.Partial() {
		t.Error("Partial after an error")
	}
}

// TestDataIsApart appends to the Data of a message that aliases the buffer; the
// message behind it must not change.
func TestDataIsApart(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Init(server)
	in := stream(frame(fText, "first"), frame(fText, "second"))
	m, n, ok, err := r.Next(in)
	if !ok || err != nil {
		t.Fatalf("first: %t, %v", ok, err)
	}
	if &m.Data[0] != &in[n-len(m.Data)] {
		t.Error("a whole frame was copied")
	}
	_ = append(m.Data, "overwritten?"...)
	if m, _, ok, err = r.Next(in[n:]); !ok || err != nil || string(m.Data) != "second" {
		t.Errorf("second: %q, %t, %v", m.Data, ok, err)
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	for k, want := range []string{"unknown", "text", "binary", "ping", "pong", "close", "unknown"} {
		if got := Kind(k).String(); got != want {
			t.Errorf("Kind(%d) = %q, want %q", k, got, want)
		}
	}
}

func TestViolationTables(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for v := Violation(1); v < violationCount; v++ {
		e := &closeErrors[v]
		if e.Violation != v || !ValidCloseCode(e.Code) || e.Reason == "" || len(e.Reason) > maxReasonSize {
			t.Errorf("violation %d: bad entry %+v", v, *e)
		}
		if s := v.String(); s == "unknown" || seen[s] {
			t.Errorf("violation %d: label %q", v, s)
		} else {
			seen[s] = true
		}
	}
	if got := violationCount.String(); got != "unknown" {
		t.Errorf("label of no violation: %q", got)
	}
	if got, want := closeErrors[BadMask].Error(), "wsframe: wrong masking (close 1002)"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
