package config

import "log/slog"

// Secret is a text that is never shown: not by fmt, not in a log, not by
// config print. It is set by the file, by the environment, or by the name of a
// file that holds it; never by a flag, which every user of the machine can see.
type Secret string

const hidden = "***"

// String hides the secret, and shows only whether there is one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }
