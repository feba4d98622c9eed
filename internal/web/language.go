package web

import (
	"net/http"
	"strings"
)

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
