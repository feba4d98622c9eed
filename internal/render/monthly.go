package render

import (
	"io"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/monthly"
)

// MonthFormats are the formats of Month. The first one is the default.
var MonthFormats = []string{"markdown", "html", "csv", "json"}

// Month writes the report of a month to w in one of MonthFormats.
func Month(w io.Writer, format string, r monthly.Report, language alerting.Language, now time.Time) error {
	switch format {
	case "json":
		return writeJSON(w, monthly.WireReportOf(r, now))
	case "html":
		return monthHTML(w, r.Document(language))
	case "csv":
		return r.Document(language).WriteCSV(w)
	default:
		return monthMarkdown(w, r.Document(language))
	}
}

func monthMarkdown(w io.Writer, d monthly.Document) error {
	var p page // without a voice: the document has its language
	p.block("# %s", escape(d.Title))
	for _, sentence := range d.Lead {
		p.block("%s", escape(sentence))
	}
	for _, s := range d.Sections {
		p.block("%s %s", strings.Repeat("#", s.Level), escape(s.Heading))
		if s.Text != "" {
			p.block("%s", escape(s.Text))
		}
		if s.Columns != nil {
			p.block("%s", markdownTable(s))
		}
	}
	_, err := io.WriteString(w, strings.TrimRight(p.String(), "\n")+"\n")
	return err
}

func markdownTable(s monthly.Section) string {
	var b strings.Builder
	row := func(cells []string) {
		for _, cell := range cells {
			b.WriteString("| " + escape(cell) + " ")
		}
		b.WriteString("|\n")
	}
	row(s.Columns)
	b.WriteString(strings.Repeat("|---", len(s.Columns)) + "|\n")
	for _, cells := range s.Rows {
		row(cells)
	}
	return strings.TrimRight(b.String(), "\n")
}

// monthHTML writes a page of its own, which prints well.
func monthHTML(writer io.Writer, d monthly.Document) error {
	language := "en"
	if d.Language == alerting.Chinese {
		language = "zh"
	}
	head := `<!doctype html>
<html lang="` + language + `">
<head>
<meta charset="utf-8">
<title>stickwatch</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-top: 1px solid #d8dde5; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
</style>
</head>
<body>
`
	if _, err := io.WriteString(writer, head); err != nil {
		return err
	}
	if err := d.WriteHTML(writer); err != nil {
		return err
	}
	_, err := io.WriteString(writer, "</body>\n</html>\n")
	return err
}
