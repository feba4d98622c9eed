package probes

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"plain", 99, "plain"},
		{" two\r\nlines\tand \u2028 space\u00a0", 99, "two lines and space"},
		{"\x1b[31mred\x1b[0m\x07\x00", 99, "[31mred[0m"},
		{"\x9b31m\u009b1m", 99, "31m1m"},
		{"abc\u202edef\u2066\u200b\ufeff", 99, "abcdef"},
		{"bad \xff\xfe utf", 99, "bad utf"},
		{"节点一", 99, "节点一"},
		{"节点一二", 9, "节点…"},
		{"节点一", 8, "节…"},
		{"abcdef", 6, "abcdef"},
		{"abcdef", 5, "ab…"},
		{"abcdef", 3, "…"},
		{"abcdef", 2, ""},
		{"abcdef", 0, ""},
		{"a", 1, "a"},
		{strings.Repeat("\x00", 100) + "late", 10, ""}, // only the first 4*limit bytes are read
	}
	for _, tt := range tests {
		if got := Clean(tt.text, tt.limit); got != tt.want {
			t.Errorf("Clean(%q, %d): got %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

// checkClean fails the test unless the result of Clean for text is valid.
func checkClean(t interface{ Errorf(string, ...any) }, text string, limit int) {
	got := Clean(text, limit)
	switch {
	case len(got) > limit:
		t.Errorf("Clean(%q, %d): got %d bytes", text, limit, len(got))
	case !utf8.ValidString(got):
		t.Errorf("Clean(%q, %d): got %q, which is not UTF-8", text, limit, got)
	case strings.ContainsFunc(got, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r != ' ' && unicode.IsSpace(r)
	}):
		t.Errorf("Clean(%q, %d): got %q, which has invisible characters", text, limit, got)
	case Clean(got, limit) != got:
		t.Errorf("Clean(%q, %d): got %q, which becomes %q", text, limit, got, Clean(got, limit))
	}
}

func TestCleanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		checkClean(t, text, rapid.IntRange(0, 64).Draw(t, "limit"))
	})
}

func FuzzClean(f *testing.F) {
	f.Add("节点\x1b[31m\u202e\xff", uint8(5))
	f.Fuzz(func(t *testing.T, text string, limit uint8) { checkClean(t, text, int(limit)) })
}

func TestFingerprintOf(t *testing.T) {
	// The first 8 digits of: printf 0123456789ABCDEF | sha256sum
	if got, want := FingerprintOf("0123456789ABCDEF"), Fingerprint("s:2125b2c3"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := FingerprintOf(""); got != "" {
		t.Errorf("got %q for no id", got)
	}
}

// TestDerived checks that the extractors of a page share what they computed, and those of
// different pages do not.
func TestDerived(t *testing.T) {
	computed := 0
	count := func() int { computed++; return computed }
	page := Document{derived: make(map[any]any)}
	shown := page
	shown.Cookies = map[string]string{"id": "1"}
	if a, b := Derived(page, "key", count), Derived(shown, "key", count); a != 1 || b != 1 {
		t.Errorf("one page: got %d and %d, want the first value twice", a, b)
	}
	if other := Derived(page, "other", count); other != 2 {
		t.Errorf("another key: got %d, want 2", other)
	}
	if a, b := Derived(Document{}, "key", count), Derived(Document{}, "key", count); a != 3 || b != 4 {
		t.Errorf("other pages: got %d and %d, want 3 and 4", a, b)
	}
}
