package engineio

import "testing"

// TestDoubleUTF8 drives one decoder through the bodies of one session.
func TestDoubleUTF8(t *testing.T) {
	t.Parallel()
	type step struct {
		body string
		want []Packet
	}
	tests := []struct {
		name   string
		steps  []step
		single bool
	}{
		{
			name:  "1.x euro",
			steps: []step{{"4:4\xc3\xa2\xc2\x82\xc2\xac", []Packet{message("€")}}},
		},
		{
			name: "1.x Latin-1 and astral",
			steps: []step{{
				`23:420["echo","` + "\xc3\x83\xc2\xbcn\xc3\x83\xc2\xaf\xc3\xb0\xc2\x9f\xc2\x98\xc2\x80" + `"]`,
				[]Packet{message(`20["echo","ünï😀"]`)},
			}},
		},
		{
			name: "1.x with ASCII and binary around it",
			steps: []step{
				{"2:40", []Packet{message("0")}},
				{"1:24:4" + double("€") + "6:b4AQ==2:4x", []Packet{text(Ping, ""), message("€"), binaryMessage("\x01"), message("x")}},
				{"3:4" + double("é"), []Packet{message("é")}},
			},
		},
		{
			// JavaScript strings may hold half a surrogate pair.
			name:  "1.x unpaired surrogate",
			steps: []step{{"5:4x" + double("\xed\xa0\x80"), []Packet{message("x\uFFFD")}}},
		},
		{
			name:  "1.x surrogate between characters",
			steps: []step{{"8:4" + double("é\xed\xbf\xbfé"), []Packet{message("é\uFFFDé")}}},
		},
		{
			name:   "2.x beyond Latin-1",
			steps:  []step{{"2:4€", []Packet{message("€")}}},
			single: true,
		},
		{
			name:  "1.x surrogate beside the character below the surrogates",
			steps: []step{{"7:4" + double("\ud7ff\xed\xa0\x80"), []Packet{message("\ud7ff\uFFFD")}}},
		},
		{
			name:   "2.x first character beyond Latin-1",
			steps:  []step{{"2:4\u0100", []Packet{message("\u0100")}}},
			single: true,
		},
		{
			name:   "2.x Latin-1 that is not UTF-8",
			steps:  []step{{"6:4héllo", []Packet{message("héllo")}}},
			single: true,
		},
		{
			name: "2.x keeps its verdict",
			steps: []step{
				{"2:4é", []Packet{message("é")}},
				// U+00C3 U+00A9 would be é, encoded twice.
				{"3:4Ã©", []Packet{message("Ã©")}},
			},
			single: true,
		},
		{
			name:   "2.x proof later in the same body",
			steps:  []step{{"3:4Ã©2:4€", []Packet{message("Ã©"), message("€")}}},
			single: true,
		},
		{
			name: "no verdict from ASCII or base64",
			steps: []step{
				{"6:4hello1:26:b4//8=", []Packet{message("hello"), text(Ping, ""), binaryMessage("\xff\xff")}},
				{"3:4" + double("é"), []Packet{message("é")}},
			},
		},
		{
			name: "proof after an ambiguous body",
			steps: []step{
				{"3:4Ã©", []Packet{message("é")}},
				{"2:4Ω", []Packet{message("Ω")}},
				{"3:4Ã©", []Packet{message("Ã©")}},
			},
			single: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var d Payload3Decoder
			for _, s := range tt.steps {
				got, err := collect(d.DecodeText, []byte(s.body))
				if err != nil {
					t.Fatalf("%q: %v", s.body, err)
				}
				if df := diff(s.want, got); df != "" {
					t.Errorf("%q (-want +got):\n%s", s.body, df)
				}
			}
			if d.single != tt.single {
				t.Errorf("single = %t, want %t", d.single, tt.single)
			}
		})
	}
}
