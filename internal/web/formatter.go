package web

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// A formatter formats texts and values in one language. The English text is the key of its
// translation, so that templates are readable and a missing translation shows English.
type formatter struct {
	language string
	zone     *time.Location
}

// translate translates a text and formats its arguments.
func (f formatter) translate(text string, args ...any) string {
	if f.language == chinese {
		if translated, ok := chineseTexts[text]; ok {
			text = translated
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// clock formats a time of day, with the date unless it is today.
func (f formatter) clock(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t, now = t.In(f.zone), now.In(f.zone)
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02 15:04")
	case t.YearDay() == now.YearDay():
		return t.Format("15:04:05")
	case f.language == chinese:
		return t.Format("1月2日 15:04")
	default:
		return t.Format("2 Jan 15:04")
	}
}

// zones returns the abbreviations of the time zone in a span, the newest first, such as CET/CEST: summer has its own.
func (f formatter) zones(from, to time.Time) string {
	var names []string
	for at := to.In(f.zone); ; {
		if name := at.Format("MST"); !slices.Contains(names, name) {
			names = append(names, name)
		}
		start, _ := at.ZoneBounds()
		if start.IsZero() || !start.After(from) {
			return strings.Join(names, "/")
		}
		at = start.Add(-1)
	}
}

// day formats a day in UTC, as days are counted in the history.
func (f formatter) day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// length formats a duration with at most two units.
func (f formatter) length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return f.translate("%d s", int(d.Seconds()))
	case d < time.Hour:
		return f.translate("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return f.translate("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return f.translate("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// latency formats the latency of a response.
func (f formatter) latency(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(wire.MS(d), 'f', 1, 64) + "\u00a0ms"
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + "\u00a0ms"
	default:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "\u00a0s"
	}
}

// percent formats a ratio. Only a ratio of 1 is 100 %.
func (f formatter) percent(ratio float64) string {
	const all = 100
	p := ratio * all
	if p < all && p > 99.995 {
		return ">99.99\u00a0%"
	}
	if p == all {
		return "100\u00a0%"
	}
	return strconv.FormatFloat(p, 'f', 2, 64) + "\u00a0%"
}

// Package alerting contains the texts of findings and incidents, for pages as well as for
// notifications.

func (f formatter) title(c checks.Code) string {
	return alerting.Language(f.language).Title(c)
}

func (f formatter) summary(i alerting.Incident) string {
	return line(alerting.Language(f.language).Summary(i.InZone(f.zone)))
}

// affected returns the number of affected clients; "": no estimate.
func (f formatter) affected(a checks.Affected) string {
	return alerting.Language(f.language).Affected(a)
}

// sentence formats a message of package checks, with times in the zone of the page.
func (f formatter) sentence(m checks.Message) string {
	return line(alerting.Language(f.language).Translate(m.InZone(f.zone)))
}

// reason returns the reason for which a request failed.
func (f formatter) reason(text string) string {
	return line(checks.Language(f.language).Reason(text))
}

func (f formatter) remedy(finding checks.Finding) string {
	return long(alerting.Language(f.language).Translate(finding.Remedy))
}

// event returns the text of an event.
func (f formatter) event(e alerting.Event) string {
	return line(alerting.Language(f.language).Event(e))
}

// englishLang returns the lang attribute of English texts on pages in another language, for
// screen readers.
func (f formatter) englishLang() template.HTMLAttr {
	if f.language == english {
		return ""
	}
	return ` lang="en"`
}

// The languages of the page.
const (
	english = "en"
	chinese = "zh"
)

var languages = []string{english, chinese}

// languageCookie is the cookie with the chosen language.
const languageCookie = "lang"

// languageOf returns the language of a response, by the first of: the link, the cookie, the
// browser's preference, and the fallback.
func languageOf(r *http.Request, fallback string) string {
	if lang := r.URL.Query().Get("lang"); isSupportedLanguage(lang) {
		return lang
	}
	if c, err := r.Cookie(languageCookie); err == nil && isSupportedLanguage(c.Value) {
		return c.Value
	}
	// Browsers send languages in order of preference, so qualities can be ignored.
	for one := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(one), ";")
		lang, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if isSupportedLanguage(lang) {
			return lang
		}
	}
	return fallback
}

func isSupportedLanguage(lang string) bool { return lang == english || lang == chinese }

// setLanguageCookie stores the language that a link selects.
func setLanguageCookie(w http.ResponseWriter, r *http.Request) {
	lang := r.URL.Query().Get("lang")
	if !isSupportedLanguage(lang) {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 60 * 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
	})
}
