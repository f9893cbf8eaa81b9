package wsframe

import "testing"

// utf8Corpus holds byte sequences of every class of RFC 3629 section 4 and the
// mistakes that decoders are known for.
var utf8Corpus = []struct {
	name string
	in   string
	ok   bool
}{
	{"ascii", "hello", true},
	{"nul", "\x00", true},
	{"greek", "κόσμε", true},
	{"one byte, last", "\x7f", true},
	{"two bytes, first", "\xc2\x80", true},
	{"two bytes, last", "\xdf\xbf", true},
	{"three bytes, first", "\xe0\xa0\x80", true},
	{"three bytes, before surrogates", "\xed\x9f\xbf", true},
	{"three bytes, after surrogates", "\xee\x80\x80", true},
	{"replacement character", "\xef\xbf\xbd", true},
	{"byte order mark", "\xef\xbb\xbf", true},
	{"noncharacter U+FFFE", "\xef\xbf\xbe", true},
	{"noncharacter U+FFFF", "\xef\xbf\xbf", true},
	{"four bytes, first", "\xf0\x90\x80\x80", true},
	{"emoji", "🚀", true},
	{"four bytes, last", "\xf4\x8f\xbf\xbf", true},

	{"above U+10FFFF", "\xf4\x90\x80\x80", false},
	{"four bytes, lead f5", "\xf5\x80\x80\x80", false},
	{"four bytes, lead f7", "\xf7\xbf\xbf\xbf", false},
	{"five bytes", "\xf8\x88\x80\x80\x80", false},
	{"six bytes", "\xfc\x84\x80\x80\x80\x80", false},
	{"byte fe", "\xfe", false},
	{"byte ff", "\xff", false},
	{"lone continuation, first", "\x80", false},
	{"lone continuation, last", "\xbf", false},
	{"two lone continuations", "\x80\xbf", false},
	{"two bytes, cut", "\xc3", false},
	{"two bytes, then ascii", "\xc3 ", false},
	{"three bytes, cut after one", "\xe2", false},
	{"three bytes, cut after two", "\xe2\x82", false},
	{"three bytes, then ascii", "\xe2\x82 ", false},
	{"four bytes, cut after three", "\xf0\x9f\x9a", false},
	{"two cut sequences", "\xe2\x82\xe2\x82", false},
	{"overlong slash, two bytes", "\xc0\xaf", false},
	{"overlong slash, three bytes", "\xe0\x80\xaf", false},
	{"overlong slash, four bytes", "\xf0\x80\x80\xaf", false},
	{"overlong nul", "\xc0\x80", false},
	{"overlong, last of two bytes", "\xc1\xbf", false},
	{"overlong, last of three bytes", "\xe0\x9f\xbf", false},
	{"overlong, last of four bytes", "\xf0\x8f\xbf\xbf", false},
	{"surrogate d800", "\xed\xa0\x80", false},
	{"surrogate dfff", "\xed\xbf\xbf", false},
	{"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", false},
}

func TestUTF8(t *testing.T) {
	t.Parallel()
	for _, tc := range utf8Corpus {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, around := range []string{"", "plain text around it, longer than a word", "κ"} {
				s := around + tc.in + around
				want := outcome{Violation: BadText}
				wantClose := outcome{Violation: BadCloseReason}
				if tc.ok {
					want = outcome{Messages: []Message{text(s)}}
					wantClose = outcome{Messages: []Message{closing(1000, s)}}
				}
				wantOutcome(t, readPieces(t, server, stream(frame(fText, s))), want)
				wantOutcome(t, readPieces(t, server, stream(frame(fClose, "\x03\xe8"+s))), wantClose)
				// Cut into fragments at each byte, as a sender may.
				for i := range len(s) + 1 {
					in := stream(frame(0x1, s[:i]), frame(fCont, s[i:]))
					wantOutcome(t, readPieces(t, server, in), want)
				}
				packed, err := Deflate(nil, []byte(s))
				if err != nil {
					t.Fatal(err)
				}
				in := stream(frame(fText|bitRsv1, string(packed)))
				wantOutcome(t, readPieces(t, serverDeflate, in), want)
			}
		})
	}
}
