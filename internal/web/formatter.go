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

// A formatter says things in one language. The English text is its own key: a
// template reads as what it shows, and what has no translation still says
// something.
type formatter struct {
	language string
	zone     *time.Location
}

// translate says a text, with args put into its verbs.
func (s formatter) translate(text string, args ...any) string {
	if s.language == chinese {
		if translated, ok := chineseTexts[text]; ok {
			text = translated
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// clock tells a time of day, with the day where it is not today's.
func (s formatter) clock(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t, now = t.In(s.zone), now.In(s.zone)
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02 15:04")
	case t.YearDay() == now.YearDay():
		return t.Format("15:04:05")
	case s.language == chinese:
		return t.Format("1月2日 15:04")
	default:
		return t.Format("2 Jan 15:04")
	}
}

// day tells a day (UTC, as days are counted in the history).
func (s formatter) day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// length tells how long something took, in two units at most.
func (s formatter) length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return s.translate("%d s", int(d.Seconds()))
	case d < time.Hour:
		return s.translate("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return s.translate("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return s.translate("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// latency tells how long an answer took.
func (s formatter) latency(d time.Duration) string {
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

// percent tells a ratio so that 100 % is said of nothing less.
func (s formatter) percent(ratio float64) string {
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

// What receivers are told and what pages show is worded in one place: package
// alerting.

// title is a code in words.
func (s formatter) title(c checks.Code) string { return alerting.Language(s.language).Title(c) }

// summary is an incident in one sentence.
func (s formatter) summary(i alerting.Incident) string {
	i.Cause.Summary = i.Cause.Summary.InZone(s.zone)
	return line(alerting.Language(s.language).Summary(i))
}

// affected says how many clients are concerned; "": that is not estimated.
func (s formatter) affected(a checks.Affected) string {
	return alerting.Language(s.language).Affected(a)
}

// sentence is a message of the checks, with its times in the zone of the page.
func (s formatter) sentence(m checks.Message) string {
	return line(alerting.Language(s.language).Say(m.InZone(s.zone)))
}

// remedy is what to do about a finding.
func (s formatter) remedy(f checks.Finding) string {
	return long(alerting.Language(s.language).Say(f.Remedy))
}

// event tells what happened in an incident.
func (s formatter) event(e alerting.Event) string {
	return line(alerting.Language(s.language).Event(e))
}

// englishLang marks what stays English on pages in another language, for screen
// readers to pronounce it so.
func (s formatter) englishLang() template.HTMLAttr {
	if s.language == english {
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

// languageCookie remembers what somebody chose on the page.
const languageCookie = "lang"

// languageOf tells in which language to answer: as the link says, as was chosen
// before, as the browser prefers, as configured.
func languageOf(r *http.Request, fallback string) string {
	if lang := r.URL.Query().Get("lang"); isSupportedLanguage(lang) {
		return lang
	}
	if c, err := r.Cookie(languageCookie); err == nil && isSupportedLanguage(c.Value) {
		return c.Value
	}
	// Browsers list what they prefer first: its qualities need no reading.
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

// setLanguageCookie keeps a choice that was made by a link.
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
