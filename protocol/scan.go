package protocol

import "github.com/siod-io/siod/protocol/internal/jsonscan"

// scanner adds to the JSON scanner what a packet needs: where its arguments
// begin and end, and errors.
type scanner struct{ jsonscan.Scanner }

func newScanner(data []byte, depth, attachments int) scanner {
	if attachments == 0 {
		attachments = -1 // placeholders are ordinary objects
	}
	return scanner{jsonscan.Scanner{Data: data, MaxDepth: depth, Attachments: attachments}}
}

// err returns the error for what the last method found wrong.
func (s *scanner) err() error {
	switch s.Fail {
	case jsonscan.Depth:
		return &LimitError{Limit: "json depth", Value: s.MaxDepth + 1, Max: s.MaxDepth}
	case jsonscan.Placeholder:
		return &SyntaxError{Offset: s.FailAt, Reason: reasonPlaceholder}
	}
	return &SyntaxError{Offset: s.FailAt, Reason: reasonJSON}
}

// at returns the byte at i, or 0, which no JSON text contains, past the end.
func (s *scanner) at(i int) byte {
	if i < len(s.Data) {
		return s.Data[i]
	}
	return 0
}

// arguments reads an array that starts at i and notes its elements in a, except
// that the first goes to name if that is not nil. It returns the index after
// the array. There may be most others.
func (s *scanner) arguments(i int, a *Args, name *span, most int) (int, error) {
	a.json, a.bin, a.count, a.more = s.Data, nil, 0, nil
	if s.at(i) != '[' {
		return 0, &SyntaxError{Offset: i, Reason: reasonArray}
	}
	i = s.Space(i + 1)
	if s.at(i) == ']' {
		return i + 1, nil
	}
	for {
		start := s.Space(i)
		if i = s.Value(start, 1); i < 0 {
			return 0, s.err()
		}
		switch {
		case name != nil:
			*name, name = span{uint32(start), uint32(i)}, nil
		case a.count == most:
			return 0, &LimitError{Limit: "arguments", Value: most + 1, Max: most}
		default:
			a.add(start, i)
		}
		i = s.Space(i)
		switch s.at(i) {
		case ',':
			i++
		case ']':
			return i + 1, nil
		default:
			return 0, &SyntaxError{Offset: i, Reason: reasonJSON}
		}
	}
}
