package web

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
)

// A page is what the layout shows, around a template's content.
type page struct {
	viewContext
	templates *pages
	Template  string // of the content
	Content   any
	Title     string
	Icon      tone
	Tab       string // of the navigation; "": none

	Language  string
	Other     string // the other language, and a link to this page in it
	OtherLink string
	Revision  string // of Live, before the content was looked at
	Version   string
	Now       timestamp
	Zone      string
	Assets    map[string]string
	ReadOnly  bool // whoever looks may change nothing
}

// A pageFunc fills in what is particular to a page.
type pageFunc func(r *http.Request, p *page) error

// page serves a pager. What it cannot show, a page says.
func (s *Server) page(fill pageFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := s.newPage(r)
		status := http.StatusOK
		if err := fill(r, p); err != nil {
			status = s.pageOf(w, r, p, err)
		}
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
		canWrite: s.access.deny(r) == nil, canProbe: s.config.Prober != nil,
	}
	other := languages[0]
	if other == language {
		other = languages[1]
	}
	return &page{
		viewContext: v, templates: locale.pages[language], Language: language, Other: other, OtherLink: linkIn(r, other),
		Icon: toneUnknown, Revision: s.config.Live.Revision(), Version: s.config.Version,
		Now: v.timestamp(now), Zone: now.In(locale.zone).Format("MST"), Assets: assetLinks, ReadOnly: !v.canWrite,
	}
}

// linkIn is a link to the page that r asks for, in a language.
func linkIn(r *http.Request, language string) string {
	link := *r.URL
	values := link.Query()
	values.Set("lang", language)
	link.RawQuery = values.Encode()
	return link.RequestURI()
}

// pageOf makes p the page of an error, and returns its status.
func (s *Server) pageOf(w http.ResponseWriter, r *http.Request, p *page, err error) int {
	problem := problemOf(err)
	problem.advise(w.Header())
	if problem.inside() {
		s.config.Logger.Error("showing a page", "path", r.URL.Path, "err", err)
	}
	p.Template, p.Content, p.Title = "problem", problem, p.translate(problem.Title)
	return problem.Status
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// render writes a page whole or not at all: an error in its middle would leave
// half of one.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, p *page) {
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()
	if err := p.templates.render(body, p); err != nil {
		s.config.Logger.Error("rendering a page", "path", r.URL.Path, "template", p.Template, "err", err)
		http.Error(w, "stickwatch cannot show this page; its log tells more", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Language", p.Language)
	w.Header().Add("Vary", "Accept-Language, Cookie")
	write(w, r, "text/html; charset=utf-8", status, body.Bytes())
}

// heading joins what stands in a window's title.
func heading(parts ...string) string { return strings.Join(parts, " · ") }
