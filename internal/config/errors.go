package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with what an operator wrote.
type Problem struct {
	Where string // as the operator spelled it: a flag, a variable, a key of a file
	What  string // and what to do about it
}

func (p Problem) String() string { return p.Where + ": " + p.What }

// Error is everything that is wrong, in the order of the layers.
type Error struct {
	Problems []Problem
}

// Error names the first problem in one line, and counts the others.
func (e *Error) Error() string {
	s := e.Problems[0].String()
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more: siod config check lists all)", n)
	}
	return s
}

func (e *Error) add(where, format string, args ...any) {
	// One line, whatever a parser said.
	e.Problems = append(e.Problems, Problem{where, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")})
}

// orNil is e as an error, if there is one.
func (e *Error) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}
