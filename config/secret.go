package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

// A Secret is a value that no log, error or dump shows. Reveal is the only way
// to it.
type Secret struct {
	// A pointer: a Secret deep inside an unexported field, where fmt calls no
	// method, shows as an address.
	value *string
}

// NewSecret makes a secret of value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Set reports whether there is a value.
func (s Secret) Set() bool { return s.Reveal() != "" }

// String is what may be shown: "redacted", or nothing if there is no value. Of
// a database's address it is the part that is not secret.
func (s Secret) String() string {
	v := s.Reveal()
	if v == "" || strings.HasPrefix(v, "sqlite:") {
		return v
	}
	if u, err := url.Parse(v); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		return u.Scheme + "://" + u.Host + u.Path
	}
	return "redacted"
}

// GoString, Format, LogValue and MarshalText show what String shows.

func (s Secret) GoString() string             { return fmt.Sprintf("%q", s.String()) }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, s.String()) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
