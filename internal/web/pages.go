package web

import (
	"embed"
	"html/template"
	"io"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// A locale is how the page speaks until it is told otherwise.
type locale struct {
	language string // of who does not ask for one
	zone     *time.Location
	pages    map[string]*pages // by language
}

// pages are the templates in one language: their function t says what they say.
type pages struct {
	all map[string]*template.Template // the layout around each content
}

// contents are the templates that fill the layout.
var contents = []string{"overview", "cluster", "incidents", "incident", "problem"}

func allPages(zone *time.Location) map[string]*pages {
	all := map[string]*pages{}
	for _, language := range languages {
		all[language] = newPages(formatter{language: language, zone: zone})
	}
	return all
}

// newPages parses what is embedded: a mistake in it is one of this program, and
// shows in every test.
func newPages(s formatter) *pages {
	shared := template.Must(template.New("").Funcs(template.FuncMap{
		"t":       s.translate,
		"foreign": s.englishLang,
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/drawings.html"))
	p := &pages{all: map[string]*template.Template{}}
	for _, name := range contents {
		p.all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return p
}

func (p *pages) render(w io.Writer, of *page) error {
	return p.all[of.Template].ExecuteTemplate(w, "layout", of)
}
