package slack

import "testing"

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
