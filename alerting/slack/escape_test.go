package slack

import (
	"strings"
	"testing"
)

func TestEscaped(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 10, ""},
		{"plain", 10, "plain"},
		{"a < b && c > d", 100, "a &lt; b &amp;&amp; c &gt; d"},
		{"&amp;", 100, "&amp;amp;"},
		{"<!channel> <@U0123>", 100, "&lt;!channel&gt; &lt;@U0123&gt;"},
		{"@here @Channel @everyone", 100, "@\u200bhere @\u200bChannel @\u200beveryone"},
		{"ops@hereford.example", 100, "ops@hereford.example"},
		{"`code`", 100, "'code'"},
		{"half \xff", 100, "half "},
		{"12345678", 8, "12345678"},
		{"123456789", 8, "12345…"},
		{"界界界", 9, "界界界"},
		{"界界界界", 9, "界界…"},
		{"1234&5", 8, "1234…"},
		{"1234&", 9, "1234&amp;"},
		{"too long", 2, "…"},
	} {
		if got := escaped(tt.text, tt.limit); got != tt.want {
			t.Errorf("escaped(%q, %d): got %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

// TestHeader: plain text has no markup, but mentions are disabled all the same; the
// limit is in characters.
func TestHeader(t *testing.T) {
	for text, want := range map[string]string{
		"[Critical] shop: Node down <&>": "[Critical] shop: Node down <&>",
		"two\nlines @here":               "two lines @\u200bhere",
		strings.Repeat("界", 120):         strings.Repeat("界", 120),
		strings.Repeat("界", 121):         strings.Repeat("界", 119) + "…",
	} {
		if got := header(text); got != want {
			t.Errorf("header(%q): got %q, want %q", text, got, want)
		}
	}
}
