package probes

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The lengths in bytes from which credentials are looked for in texts. What is
// shorter is nobody's credential, and would be found by chance: so would the
// value of a cookie that is the session's by no name known.
const (
	minSecret = 8
	minCookie = 16
)

// secrets are what a client and a target have exchanged that must not be shown.
type secrets struct {
	session string          // name of the session's cookie as configured; "": the usual ones
	set     []*http.Cookie  // by answers; a browser may not have kept them
	certain []string        // session ids, and cookies by the names of sessions
	guessed []string        // other cookies
	allowed map[string]bool // what of these a node's label may show
}

// addID is a session id.
func (s *secrets) addID(text string) {
	if len(text) >= minSecret {
		s.certain = append(s.certain, text)
	}
}

// addCookies are those held or set. Any long one is taken for a credential:
// applications call the session's as they please.
func (s *secrets) addCookies(list []*http.Cookie) {
	for _, c := range list {
		named := s.isSession(c.Name)
		if !named && isHostName(c.Value) {
			continue
		}
		for _, form := range spellings(c.Value) {
			switch {
			case named:
				s.addID(form)
			case len(form) >= minCookie:
				s.guessed = append(s.guessed, form)
			}
		}
	}
}

func (s *secrets) isSession(name string) bool {
	return isSessionCookie(name, s.session) || looksLikeSessionCookie(name, "")
}

// allow lets a node's label be shown that a configured extractor reads from a
// cookie which is not the session's.
func (s *secrets) allow(node Extractor, cookies map[string]string) {
	s.allowed = make(map[string]bool)
	for name, value := range cookies {
		if s.isSession(name) {
			continue
		}
		if label := extract(node, Document{Cookies: map[string]string{name: value}}); label != "" {
			s.allowed[label] = true
		}
	}
}

// redact puts fingerprints in the place of secrets in whatever the target wrote:
// an extractor may read too much, a page may repeat a cookie.
func (s *secrets) redact(e *Exchange) {
	e.Label = s.redactor(s.allowed)(e.Label)
	redact := s.redactor(nil)
	for _, text := range []*string{&e.Error, &e.Redirect, &e.FinalPath, &e.Store, &e.Value, &e.Version} {
		*text = redact(*text)
	}
	for i, r := range e.Rejected {
		e.Rejected[i] = RejectedCookie{redact(r.Name), r.Rule, redact(r.Has), redact(r.Asks)}
	}
}

// redactStatus is hide for a status answer.
func (s *secrets) redactStatus(r *StatusReport) {
	if r == nil {
		return
	}
	redact := s.redactor(nil)
	for _, text := range []*string{&r.State, &r.Reason, &r.Version, &r.PID} {
		*text = redact(*text)
	}
	for key, value := range r.Settings {
		r.Settings[key] = redact(value)
	}
}

// redactor replaces secrets in a clean text, but for those guessed ones that are
// spared.
func (s *secrets) redactor(allowed map[string]bool) func(string) string {
	texts := slices.Clone(s.certain)
	for _, text := range s.guessed {
		if !allowed[text] {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return func(text string) string { return text }
	}
	// The longest first: an id is a part of its own cookie.
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	texts = slices.Compact(texts)
	replacer := sync.OnceValue(func() *strings.Replacer { return replacerOf(texts) }) // dear, and seldom needed
	return func(text string) string {
		if text == "" {
			return ""
		}
		text = redactTruncated(text, texts)
		if slices.ContainsFunc(texts, func(secret string) bool { return strings.Contains(text, secret) }) {
			text = replacer().Replace(text)
		}
		return Clean(text, MaxValue)
	}
}

// replacerOf puts fingerprints in the place of secrets, of which the first that
// fits counts.
func replacerOf(secrets []string) *strings.Replacer {
	var pairs []string
	for _, text := range secrets {
		if len(text) <= MaxValue { // no text holds a longer one whole
			pairs = append(pairs, text, string(FingerprintOf(text)))
		}
	}
	return strings.NewReplacer(pairs...)
}

// redactTruncated hides the beginning of a secret with which a text ends that was cut.
func redactTruncated(text string, secrets []string) string {
	const end = "…"
	whole, cut := strings.CutSuffix(text, end)
	if !cut {
		return text
	}
	for _, s := range secrets {
		for n := min(len(s), len(whole)); n >= minSecret; n-- {
			if before, found := strings.CutSuffix(whole, s[:n]); found {
				return before + string(FingerprintOf(s)) + end
			}
		}
	}
	return text
}

// isHostName reports whether a cookie's value is words, as those of balancers
// are: pages tell the same name, and it must not be hidden from those clients
// only that hold the cookie. The hex digits of a UUID are no words.
func isHostName(value string) bool {
	return hostName.MatchString(value) && strings.ContainsAny(strings.ToLower(value), "ghijklmnopqrstuvwxyz")
}

var hostName = regexp.MustCompile(`(?i)^[a-z]{2,15}[0-9]{0,5}([-._:][a-z0-9]{1,10})+$`)

// spellings are the ways in which a page may show a cookie's value: as it is,
// decoded, the id in it. Express signs its ids: s:ID.SIGNATURE, of which
// nothing may be shown; of another value what follows the dot is a route.
func spellings(value string) []string {
	list := []string{value}
	decoded, err := url.QueryUnescape(value)
	if err != nil {
		decoded = value
	}
	id, signature, _ := strings.Cut(strings.TrimPrefix(decoded, "s:"), ".")
	list = append(list, decoded, id)
	if after, ok := strings.CutPrefix(decoded, "s:"); ok {
		list = append(list, after, signature)
	}
	if decoded == value && url.QueryEscape(value) == value {
		return list
	}
	for _, encoded := range []string{value, url.QueryEscape(decoded), url.QueryEscape(id), url.QueryEscape(signature)} {
		list = append(list, encoded, lowerPercentCodes(encoded))
	}
	return list
}

// lowerPercentCodes writes percent codes with small letters, as some do.
func lowerPercentCodes(text string) string {
	return percentCode.ReplaceAllStringFunc(text, strings.ToLower)
}

var percentCode = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// A Fingerprint stands for a session id wherever one would be shown or kept:
// "s:" and 8 hex digits. Session ids are credentials.
type Fingerprint string

// FingerprintOf a session id; "" for "".
func FingerprintOf(id string) Fingerprint {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return Fingerprint("s:" + hex.EncodeToString(sum[:4]))
}

// concealed stands for a secret.
const concealed = "***"

// shortestSecret is what is looked for in a text, bytes: to blot out every "a" would
// tell that the password is one.
const shortestSecret = 4

// Conceal blots secrets out of a text that somebody wrote to whom they were shown:
// as they are, escaped for URLs, JSON or HTML, or in base64, as in a header or amid
// other bytes; also the beginning of one at the end of a text that was cut.
func Conceal(text string, secrets ...string) string {
	var forms []string
	for _, s := range secrets {
		if len(s) >= shortestSecret {
			forms = append(forms, formsOf(s)...)
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) }) // the longest first: one may hold another
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, concealed)
	}
	return concealEnd(text, forms)
}

// SecretsOf are what is secret in an address: its password, and the credentials as
// HTTP sends them.
func SecretsOf(address *url.URL) []string {
	if address == nil || address.User == nil {
		return nil
	}
	password, _ := address.User.Password()
	user := address.User.Username()
	const token = 16 // bytes, from which on a user without a password is one
	switch {
	case password != "":
	case len(user) >= token:
		return []string{user}
	default:
		return nil
	}
	return []string{password, user + ":" + password}
}

// formsOf are the texts as which a secret may come back.
func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret) // of a string: no error
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"),
		string(quoted[1 : len(quoted)-1]), html.EscapeString(secret),
	}
	for before := range 3 { // bytes of something else share the first and the last character
		raw := append(make([]byte, before), secret...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(raw)
			if before > 0 {
				text = text[before+1:]
			}
			if len(raw)%3 > 0 {
				if whole := text[:len(text)-1]; len(whole) >= shortestSecret {
					forms = append(forms, whole)
				}
			}
			forms = append(forms, text)
		}
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), func(form string) bool { return len(form) < shortestSecret })
}

// concealEnd blots out the beginning of a form where a text breaks off.
func concealEnd(text string, forms []string) string {
	body := strings.TrimRight(text, `".…`)
	longest := 0
	for _, form := range forms {
		for n := min(len(form)-1, len(body)); n >= shortestSecret && n > longest; n-- {
			if strings.HasSuffix(body, form[:n]) {
				longest = n
			}
		}
	}
	if longest == 0 {
		return text
	}
	return body[:len(body)-longest] + concealed + text[len(body):]
}
