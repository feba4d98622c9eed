package wire

import (
	"encoding/csv"
	"io"
	"strings"
)

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

// byteOrderMark marks a text as UTF-8. Without it, Excel reads a CSV in the encoding of its
// machine, which garbles Chinese.
const byteOrderMark = "\ufeff"

// WriteCSV writes rows for spreadsheets. Cells that a spreadsheet would take for formulas are
// protected from that.
func WriteCSV(w io.Writer, rows [][]string) error {
	if _, err := io.WriteString(w, byteOrderMark); err != nil {
		return err
	}
	file := csv.NewWriter(w)
	for _, cells := range rows {
		plain := make([]string, len(cells))
		for i, cell := range cells {
			plain[i] = plainCell(cell)
		}
		_ = file.Write(plain)
	}
	file.Flush()
	return file.Error() // of any write before
}

// plainCell protects a cell that would be a formula. East Asian versions of Excel also take
// the wide signs.
func plainCell(cell string) string {
	if strings.IndexAny(cell, "=+-@\t\r＝＋－＠") == 0 {
		return "'" + cell
	}
	return cell
}
