package config

import "testing"

func TestExpand(t *testing.T) {
	const name = `expected ${NAME} or ${NAME:-default}: write $${ for a literal ${`
	tests := []struct{ text, want, err string }{
		{text: "", want: ""},
		{text: "plain", want: "plain"},
		{text: "${TEXT}", want: "two"},
		{text: "a${TEXT}b${WEIGHT}c", want: "atwob3c"},
		{text: "${TEXT:-other}", want: "two"},
		{text: "${UNSET:-other}", want: "other"},
		{text: "${UNSET:-}", want: ""},
		{text: "${UNSET:-a:-b}", want: "a:-b"},
		{text: "${EMPTY}", want: ""},
		{text: "${EMPTY:-other}", want: "other"},
		{text: "$TEXT $ $$ (a|b)$", want: "$TEXT $ $$ (a|b)$"},
		{text: "$${TEXT}", want: "${TEXT}"},
		{text: "$$${TEXT}", want: "$${TEXT}"},
		{text: "${SECRET}", want: "hunter2("},
		{text: "${UNSET}", err: "the environment variable UNSET is not set: set it, or write ${UNSET:-default}"},
		{text: "${TEXT", err: "${ without }: write $${ for a literal ${"},
		{text: "${}", err: name},
		{text: "${1}", err: name},
		{text: "${TEXT-x}", err: name},
	}
	for _, tt := range tests {
		got, err := expand(tt.text, testenv)
		if message := errorText(err); got != tt.want || message != tt.err {
			t.Errorf("expand(%q) = %q, %q, want %q, %q", tt.text, got, message, tt.want, tt.err)
		}
	}
}

// TestExpandOnce checks that a value of the environment is always text.
func TestExpandOnce(t *testing.T) {
	env := func(string) (string, bool) { return "${A} {b: c} # d", true }
	if got, err := expand("${X}", env); err != nil || got != "${A} {b: c} # d" {
		t.Errorf("got %q, %v", got, err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
