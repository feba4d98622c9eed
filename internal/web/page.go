package web

import (
	"bytes"
	"embed"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"stickwatch/internal/wire"
)

// A page is the data of the layout template.
type page struct {
	viewContext
	templates *pages
	Template  string // name of the content template
	Content   any
	Title     string
	Icon      tone
	Tab       string // of the navigation; "": none

	Language  string
	Other     string // the other language, and a link to this page in it
	OtherLink string
	Revision  string // of Live, taken before the content was read
	Version   string
	Now       timestamp
	Assets    map[string]string
	ReadOnly  bool // the client may not make changes

	Announcement string
	SelfHealth   selfHealthView
}

// A pageFunc fills in the content of a page.
type pageFunc func(r *http.Request, p *page) error

// page returns the handler of a page. An error becomes a page as well.
func (s *Server) page(fill pageFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := s.newPage(r)
		status := http.StatusOK
		if err := fill(r, p); err != nil {
			status = s.pageOf(w, r, p, err)
		}
		p.SelfHealth = s.selfHealth(r.Context(), p.viewContext)
		setLanguageCookie(w, r)
		s.render(w, r, status, p)
	})
}

func (s *Server) newPage(r *http.Request) *page {
	locale := s.locale.Load()
	language := languageOf(r, locale.language)
	now := s.config.Now()
	v := viewContext{
		formatter: formatter{language: language, zone: locale.zone}, now: now,
		canWrite: s.access.denial(r) == nil, canProbe: s.config.Prober != nil,
	}
	other := languages[0]
	if other == language {
		other = languages[1]
	}
	return &page{
		viewContext: v, templates: locale.pages[language], Language: language, Other: other, OtherLink: linkIn(r, other),
		Icon: toneUnknown, Revision: s.config.Live.Revision(), Version: s.config.Version,
		Now: v.timestamp(now), Assets: assetLinks, ReadOnly: !v.canWrite,
		Announcement: s.config.Announcement(language),
	}
}

// linkIn returns a link to the requested page in a language.
func linkIn(r *http.Request, language string) string {
	link := *r.URL
	values := link.Query()
	values.Set("lang", language)
	link.RawQuery = values.Encode()
	return link.RequestURI()
}

// pageOf makes p an error page and returns its status.
func (s *Server) pageOf(w http.ResponseWriter, r *http.Request, p *page, err error) int {
	problem := problemOf(err)
	problem.setRetryAfter(w.Header())
	if problem.internal() {
		s.config.Logger.Error("creating a page", "path", r.URL.Path, "err", err)
	}
	p.Template, p.Content, p.Title = "problem", problem.detailIn(p.formatter), p.translate(problem.Title)
	return problem.Status
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// render sends a page. It buffers the page, so that an error in a template does not send half
// of it.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, p *page) {
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()
	if err := p.templates.render(body, p); err != nil {
		s.config.Logger.Error("rendering a page", "path", r.URL.Path, "template", p.Template, "err", err)
		http.Error(w, "stickwatch cannot show this page; its log has the error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Language", p.Language)
	w.Header().Add("Vary", "Accept-Language, Cookie")
	write(w, r, "text/html; charset=utf-8", status, body.Bytes())
}

// heading joins the parts of a window title.
func heading(parts ...string) string { return strings.Join(parts, " · ") }

//go:embed templates/*.html
var templateFiles embed.FS

// A locale contains the current defaults of pages.
type locale struct {
	language string // for clients without a preference
	zone     *time.Location
	pages    map[string]*pages // by language
}

// pages are the templates in one language: their function t translates.
type pages struct {
	all map[string]*template.Template // layout and content, by content template
}

// contents are the content templates.
var contents = []string{"overview", "cluster", "incidents", "incident", "report", "problem"}

func allPages(zone *time.Location) map[string]*pages {
	all := map[string]*pages{}
	for _, language := range languages {
		all[language] = newPages(formatter{language: language, zone: zone})
	}
	return all
}

// newPages parses the embedded templates. It panics on errors, which every test would detect.
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

// A viewContext creates views for templates: in one language, for one moment, and for a client
// with certain permissions.
type viewContext struct {
	formatter
	now      time.Time
	canWrite bool
	canProbe bool
}

// A timestamp is a time in a readable and a machine-readable format.
type timestamp struct {
	Text string
	ISO  wire.Timestamp
	Zone string // its time zone, such as CET; "": unknown
	Ago  string // relative time; "": unknown
}

func (v viewContext) timestamp(t time.Time) timestamp {
	m := timestamp{Text: v.clock(t, v.now), ISO: wire.TimestampOf(t)}
	if !t.IsZero() {
		m.Zone, m.Ago = t.In(v.zone).Format("MST"), v.length(max(0, v.now.Sub(t)))
	}
	return m
}

// spanName returns the name of a span that can be selected.
func (v viewContext) spanName(d time.Duration) string {
	if d < time.Hour {
		return v.translate("%d min", int(d.Minutes()))
	}
	if d < 48*time.Hour {
		return v.translate("%d h", int(d.Hours()))
	}
	return v.translate("%d d", int(d.Hours())/24)
}

// A rangeLink selects the span of a page.
type rangeLink struct {
	Name, Link string
	Current    bool
}

// pageRanges are the spans that can be selected, by their value in the query.
var pageRanges = []struct {
	value string
	span  time.Duration
}{
	{"1h", time.Hour},
	{"6h", 6 * time.Hour},
	{"24h", 24 * time.Hour},
	{"7d", 7 * 24 * time.Hour},
	{"30d", 30 * 24 * time.Hour},
	{"90d", uptimeDays * 24 * time.Hour},
}

// rangeOf returns the span of a value; 0: the shortest that shows everything.
func rangeOf(value string) time.Duration {
	for _, choice := range pageRanges {
		if choice.value == value {
			return choice.span
		}
	}
	return 0
}

// rangeLinks returns links to a page with each span; none is the name of that without one.
func (v viewContext) rangeLinks(page string, query url.Values, none string, selected time.Duration) []rangeLink {
	links := []rangeLink{{none, with(page, query, "range", ""), selected == 0}}
	for _, choice := range pageRanges {
		links = append(links, rangeLink{v.spanName(choice.span), with(page, query, "range", choice.value), choice.span == selected})
	}
	return links
}

// with returns a link to a page with a value in its query; "" removes the value.
func with(page string, query url.Values, key, value string) string {
	changed := url.Values{}
	maps.Copy(changed, query)
	if value == "" {
		changed.Del(key)
	} else {
		changed.Set(key, value)
	}
	if len(changed) == 0 {
		return page
	}
	return page + "?" + changed.Encode()
}
