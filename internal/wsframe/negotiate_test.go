package wsframe

import (
	"strings"
	"testing"
)

func TestNegotiateDeflate(t *testing.T) {
	t.Parallel()
	const yes = deflateResponse
	for _, tc := range []struct {
		name   string
		values []string
		want   string // empty: declined
	}{
		{"no header", nil, ""},
		{"empty header", []string{""}, ""},
		{"what browsers offer", []string{"permessage-deflate; client_max_window_bits"}, yes},
		{"bare", []string{"permessage-deflate"}, yes},
		{"both no takeover", []string{"permessage-deflate; client_no_context_takeover; server_no_context_takeover"}, yes},
		{"client window", []string{"permessage-deflate; client_max_window_bits=10"}, yes},
		{"server window of 15", []string{"permessage-deflate; server_max_window_bits=15"}, yes + "; server_max_window_bits=15"},
		{"server window of 15, quoted", []string{`permessage-deflate; server_max_window_bits="15"`},
			yes + "; server_max_window_bits=15"},
		{"no white space", []string{"permessage-deflate;client_max_window_bits=15;server_no_context_takeover"}, yes},
		{"much white space", []string{" \tpermessage-deflate ;  client_max_window_bits = 15 \t, x "}, yes},
		{"empty elements", []string{", ,permessage-deflate,,"}, yes},
		{"unknown first", []string{"x-webkit-deflate-frame, permessage-deflate"}, yes},
		{"names of JavaScript objects", []string{"constructor, __proto__; toString=1, permessage-deflate"}, yes},
		{"second header", []string{"foo; bar=baz", "permessage-deflate"}, yes},
		{"fallback offer", []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, yes},
		{"first good one wins", []string{"permessage-deflate, permessage-deflate; server_max_window_bits=15"}, yes},

		{"unknown only", []string{"foo, bar; baz"}, ""},
		{"another case", []string{"Permessage-Deflate"}, ""},
		{"server window of 10", []string{"permessage-deflate; server_max_window_bits=10"}, ""},
		{"server window of 8", []string{"permessage-deflate; server_max_window_bits=8"}, ""},
		{"server window without value", []string{"permessage-deflate; server_max_window_bits"}, ""},
		{"server window of 16", []string{"permessage-deflate; server_max_window_bits=16"}, ""},
		{"server window of 015", []string{"permessage-deflate; server_max_window_bits=015"}, ""},
		{"client window of 7", []string{"permessage-deflate; client_max_window_bits=7"}, ""},
		{"client window of 16", []string{"permessage-deflate; client_max_window_bits=16"}, ""},
		{"client window of 08", []string{"permessage-deflate; client_max_window_bits=08"}, ""},
		{"flag with a value", []string{"permessage-deflate; server_no_context_takeover=true"}, ""},
		{"unknown parameter", []string{"permessage-deflate; foo"}, ""},
		{"parameter twice", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=9"}, ""},

		{"no name", []string{"permessage-deflate, ; a"}, ""},
		{"no parameter name", []string{"permessage-deflate; "}, ""},
		{"no value", []string{"permessage-deflate; client_max_window_bits="}, ""},
		{"no comma", []string{"permessage-deflate x"}, ""},
		{"open quote", []string{`permessage-deflate; client_max_window_bits="15`}, ""},
		{"empty quote", []string{`permessage-deflate; client_max_window_bits=""`}, ""},
		{"escape in a quote", []string{`permessage-deflate; client_max_window_bits="1\5"`}, ""},
		{"control byte", []string{"permessage-deflate\x00"}, ""},
		{"not ASCII", []string{"permessage-deflate, käse"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, ok := NegotiateDeflate(tc.values)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("NegotiateDeflate(%q) = %q, %t; want %q", tc.values, got, ok, tc.want)
			}
		})
	}
}

// FuzzNegotiate looks for panics and for an answer to a header that makes no
// such offer, by cutting it at its separators.
func FuzzNegotiate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits")
	f.Add(`foo; a="b", permessage-deflate; server_max_window_bits="15",,`)
	f.Add(strings.Repeat("a;", 100))
	f.Fuzz(func(t *testing.T, value string) {
		response, ok := NegotiateDeflate([]string{value})
		if !ok {
			if response != "" {
				t.Fatalf("declined with %q", response)
			}
			return
		}
		for offer := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(offer, ";")
			if strings.Trim(name, " \t") != "permessage-deflate" {
				continue
			}
			bits := ""
			for param := range strings.SplitSeq(params, ";") {
				if k, v, found := strings.Cut(param, "="); found && strings.Trim(k, " \t") == "server_max_window_bits" {
					bits = "; server_max_window_bits=" + strings.Trim(v, " \t\"")
				}
			}
			if response == deflateResponse+bits && (bits == "" || strings.HasSuffix(bits, "=15")) {
				return
			}
		}
		t.Fatalf("%q is no answer to any offer of %q", response, value)
	})
}
