package wire

import "strings"

// markdownEscaper escapes the syntax of Markdown and HTML. "@" and "#" would mention
// people and link issues, and a URL of a target would become a link: a zero-width
// space breaks these.
var markdownEscaper = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "|", `\|`, "~", `\~`, "[", `\[`, "]", `\]`, "!", `\!`, "$", `\$`,
	"@", "@&#8203;", "#", "#&#8203;", "://", ":&#8203;//", "www.", "www&#8203;.",
)

// MarkdownText returns clean text as Markdown that shows it literally.
func MarkdownText(s string) string { return markdownEscaper.Replace(s) }

// MarkdownCode returns clean text as a code span, with a fence longer than any run of
// backticks in it.
func MarkdownCode(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}
