package web

import (
	"fmt"
	"html/template"
	"net/http"
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
func (formatter formatter) translate(text string, args ...any) string {
	if formatter.language == chinese {
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
func (formatter formatter) clock(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t, now = t.In(formatter.zone), now.In(formatter.zone)
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02 15:04")
	case t.YearDay() == now.YearDay():
		return t.Format("15:04:05")
	case formatter.language == chinese:
		return t.Format("1月2日 15:04")
	default:
		return t.Format("2 Jan 15:04")
	}
}

// day formats a day in UTC, as days are counted in the history.
func (formatter formatter) day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// length formats a duration with at most two units.
func (formatter formatter) length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return formatter.translate("%d s", int(d.Seconds()))
	case d < time.Hour:
		return formatter.translate("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return formatter.translate("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return formatter.translate("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// latency formats the latency of a response.
func (formatter formatter) latency(d time.Duration) string {
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
func (formatter formatter) percent(ratio float64) string {
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

// title returns the title of a code.
func (formatter formatter) title(c checks.Code) string {
	return alerting.Language(formatter.language).Title(c)
}

// summary returns the summary of an incident.
func (formatter formatter) summary(i alerting.Incident) string {
	return line(alerting.Language(formatter.language).Summary(i.InZone(formatter.zone)))
}

// affected returns the number of affected clients; "": no estimate.
func (formatter formatter) affected(a checks.Affected) string {
	return alerting.Language(formatter.language).Affected(a)
}

// sentence formats a message of package checks, with times in the zone of the page.
func (formatter formatter) sentence(m checks.Message) string {
	return line(alerting.Language(formatter.language).Translate(m.InZone(formatter.zone)))
}

// reason returns the reason for which a request failed.
func (formatter formatter) reason(text string) string {
	return line(checks.Language(formatter.language).Reason(text))
}

// remedy returns the remedy of a finding.
func (formatter formatter) remedy(f checks.Finding) string {
	return long(alerting.Language(formatter.language).Translate(f.Remedy))
}

// event returns the text of an event.
func (formatter formatter) event(e alerting.Event) string {
	return line(alerting.Language(formatter.language).Event(e))
}

// englishLang returns the lang attribute of English texts on pages in another language, for
// screen readers.
func (formatter formatter) englishLang() template.HTMLAttr {
	if formatter.language == english {
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
