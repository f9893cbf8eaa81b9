package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parsers take what a layer gives: a string from the environment and flags,
// and whatever YAML made of it from the file. Their errors continue a sentence
// that begins with the value.

func parseBool(raw any) (any, error) {
	switch v := raw.(type) {
	case bool:
		return v, nil
	case string:
		switch v {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
	}
	return nil, errors.New("is neither true nor false")
}

func parseInt(raw any) (any, error) {
	switch v := raw.(type) {
	case int:
		if v >= 0 {
			return v, nil
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil && n >= 0 {
			return n, nil
		}
	}
	return nil, errors.New("is not a whole number from 0 up")
}

func parseFloat(raw any) (any, error) {
	switch v := raw.(type) {
	case int:
		if v >= 0 {
			return float64(v), nil
		}
	case float64:
		if v >= 0 && !math.IsInf(v, 0) {
			return v, nil
		}
	case string:
		if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 && !math.IsInf(n, 0) {
			return n, nil
		}
	}
	return nil, errors.New("is not a number from 0 up")
}

func parseSize(raw any) (any, error) {
	switch v := raw.(type) {
	case int:
		if v >= 0 {
			return Size(v), nil
		}
	case float64: // YAML reads 1e6 so
		if v >= 0 && v == math.Trunc(v) && v <= 1<<53 {
			return Size(v), nil
		}
	case string:
		return ParseSize(v)
	}
	return nil, errSize
}

func parseDuration(raw any) (any, error) {
	if s, ok := raw.(string); ok {
		if d, err := time.ParseDuration(s); err == nil && d >= 0 {
			return d, nil
		}
	}
	if n, ok := raw.(int); ok && n == 0 {
		return time.Duration(0), nil
	}
	return nil, errors.New("is not a duration: write one such as 300ms, 25s or 2m")
}

func parseText(raw any) (any, error) {
	switch v := raw.(type) {
	case string:
		return v, nil
	case int, bool, float64:
		return fmt.Sprint(v), nil
	}
	return nil, errors.New("is not a text")
}

// parseList takes a YAML list, or texts with commas between them.
func parseList(raw any) (any, error) {
	list := []string{}
	switch v := raw.(type) {
	case string:
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	case []string:
		return v, nil
	case []any:
		for _, e := range v {
			s, err := parseText(e)
			if err != nil {
				return nil, errors.New("is not a list of texts")
			}
			list = append(list, s.(string))
		}
		return list, nil
	}
	return nil, errors.New("is not a list: write [a, b], or a,b")
}

func parseSecret(raw any) (any, error) {
	s, err := parseText(raw)
	if err != nil {
		return nil, err
	}
	return Secret(s.(string)), nil
}

func textOf(v any) string { return fmt.Sprint(v) }

// durationText leaves out the zero units that time.Duration writes.
func durationText(v any) string {
	s := v.(time.Duration).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func listText(v any) string { return strings.Join(v.([]string), ",") }

// parse reads and checks one value. The error continues a sentence that begins
// with the value.
func (o *Option) parse(raw any) (any, error) {
	v, err := o.kind.parse(raw)
	if err != nil {
		return nil, err
	}
	return v, o.check(v)
}

func (o *Option) check(v any) error {
	switch v := v.(type) {
	case int:
		return o.checkNumber(v, strconv.Itoa)
	case Size:
		return o.checkNumber(int(v), func(n int) string { return Size(n).String() })
	case float64:
		if v == 0 && o.Zero == "" {
			return errors.New("must be more than 0")
		}
	case time.Duration:
		if v == 0 && o.Zero == "" {
			return errors.New("must be more than 0s")
		}
	case string:
		if v == "" && o.Empty == "" {
			return errors.New("must not be empty")
		}
		if v != "" {
			return o.checkValue(v)
		}
	case []string:
		if len(v) == 0 && o.Empty == "" {
			return errors.New("must not be empty")
		}
		for i, e := range v {
			if err := o.checkValue(e); err != nil {
				return fmt.Errorf("has %q, which %w", e, err)
			}
			if slices.Contains(v[:i], e) {
				return fmt.Errorf("has %q twice", e)
			}
		}
	}
	return nil
}

func (o *Option) checkNumber(n int, text func(int) string) error {
	switch {
	case n == 0 && o.Zero == "":
		return fmt.Errorf("must be at least %s", text(1))
	case o.Max > 0 && n > o.Max:
		return fmt.Errorf("is more than %s, the most there may be", text(o.Max))
	}
	return nil
}

func (o *Option) checkValue(s string) error {
	if o.Values == nil || slices.Contains(o.Values, s) {
		return nil
	}
	return fmt.Errorf("is not one of %s%s", strings.Join(o.Values, ", "), DidYouMean(s, o.Values))
}
