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

// The shortest texts, in bytes, that are treated as credentials. Shorter ones would
// match by chance. A cookie whose name is not that of a session must be longer.
const (
	minSecret = 8
	minCookie = 16
)

// secrets are the texts exchanged by a client and a target that must be redacted.
type secrets struct {
	session string          // configured name of the session cookie; "": the default names
	set     []*http.Cookie  // set by answers; a browser may not have kept them
	certain []string        // session ids, and values of cookies with names of sessions
	guessed []string        // values of other cookies
	allowed map[string]bool // values of guessed that a node's label may contain
	sent    []string        // credentials that stickwatch itself sends
}

// addID adds a session id.
func (s *secrets) addID(text string) {
	if len(text) >= minSecret {
		s.certain = append(s.certain, text)
	}
}

// addCookies adds cookies that were stored or set. Every long value is treated as a
// credential, because applications may give the session cookie any name.
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

// allow permits labels that the configured extractor reads from a cookie that is not
// the session's.
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

// redact replaces secrets in all texts of the target by fingerprints. An extractor may
// read too much, and a page may repeat a cookie.
func (s *secrets) redact(e *Exchange) {
	e.Label = s.redactor(s.allowed)(e.Label)
	redact := s.redactor(nil)
	for _, text := range []*string{&e.Error, &e.Redirect, &e.FinalPath, &e.Store, &e.Value, &e.Version, &e.Title} {
		*text = redact(*text)
	}
	for i, r := range e.Rejected {
		e.Rejected[i] = RejectedCookie{redact(r.Name), r.Rule, redact(r.Has), redact(r.Asks), r.Life}
	}
}

// redactStatus is redact for a status report.
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

// redactor returns a function that cleans a text and replaces secrets in it, except
// guessed ones that are allowed.
func (s *secrets) redactor(allowed map[string]bool) func(string) string {
	texts := slices.Clone(s.certain)
	for _, text := range s.guessed {
		if !allowed[text] {
			texts = append(texts, text)
		}
	}
	if len(texts)+len(s.sent) == 0 {
		return func(text string) string { return text }
	}
	// Longest first, because an id is part of its own cookie.
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	texts = slices.Compact(texts)
	replacer := sync.OnceValue(func() *strings.Replacer { return replacerOf(texts) }) // expensive, and rarely needed
	return func(text string) string {
		if text == "" {
			return ""
		}
		text = redactTruncated(text, texts)
		if slices.ContainsFunc(texts, func(secret string) bool { return strings.Contains(text, secret) }) {
			text = replacer().Replace(text)
		}
		return Clean(Conceal(text, s.sent...), MaxValue)
	}
}

// replacerOf returns a replacer of secrets by fingerprints. At each position, the first
// secret that matches is replaced.
func replacerOf(secrets []string) *strings.Replacer {
	var pairs []string
	for _, text := range secrets {
		if len(text) <= MaxValue { // a text is too short to contain a longer one
			pairs = append(pairs, text, string(FingerprintOf(text)))
		}
	}
	return strings.NewReplacer(pairs...)
}

// redactTruncated redacts the beginning of a secret at the end of a truncated text.
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

// isHostName reports whether a cookie's value consists of words, as a balancer's name
// of a server does. Pages show the same name, and it must not be redacted for some
// clients only. The hexadecimal digits of a UUID are no words.
func isHostName(value string) bool {
	return hostName.MatchString(value) && strings.ContainsAny(strings.ToLower(value), "ghijklmnopqrstuvwxyz")
}

var hostName = regexp.MustCompile(`(?i)^[a-z]{2,15}[0-9]{0,5}([-._:][a-z0-9]{1,10})+$`)

// spellings returns the forms in which a page may show a cookie's value: as it is,
// decoded, and the id in it. Express signs its ids (s:ID.SIGNATURE), and no part of
// them may be shown. In other values, the part after the dot is a route and is no
// secret.
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

// lowerPercentCodes writes percent codes in lower case, as some pages do.
func lowerPercentCodes(text string) string {
	return percentCode.ReplaceAllStringFunc(text, strings.ToLower)
}

var percentCode = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// A Fingerprint is shown and stored in place of a session id, which is a credential. It
// is "s:" and 8 hexadecimal digits.
type Fingerprint string

// FingerprintOf returns the fingerprint of a session id; "" for "".
func FingerprintOf(id string) Fingerprint {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return Fingerprint("s:" + hex.EncodeToString(sum[:4]))
}

// concealed is shown in place of a secret.
const concealed = "***"

// shortestSecret is the length in bytes of the shortest secret that is concealed.
// Concealing every "a" of a text would reveal that the password is "a".
const shortestSecret = 4

// Conceal replaces secrets in a text of a server that received them. It finds them
// unchanged, escaped for URLs, JSON or HTML, and in base64, also among other bytes. At
// the end of a truncated text it finds the beginning of a secret.
func Conceal(text string, secrets ...string) string {
	var forms []string
	for _, s := range secrets {
		if len(s) >= shortestSecret {
			forms = append(forms, formsOf(s)...)
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) }) // longest first, because one may contain another
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, concealed)
	}
	return concealEnd(text, forms)
}

// SecretsOf returns the secrets in a URL: its password, and the credentials as HTTP
// sends them.
func SecretsOf(address *url.URL) []string {
	if address == nil || address.User == nil {
		return nil
	}
	password, _ := address.User.Password()
	user := address.User.Username()
	const token = 16 // bytes: a user of this length without a password is a token
	switch {
	case password != "":
	case len(user) >= token:
		return []string{user}
	default:
		return nil
	}
	return []string{password, user + ":" + password}
}

// secretHeader matches names of headers whose values are credentials, however short.
var secretHeader = regexp.MustCompile(`(?i)auth|cookie|token|secret|key|pass`)

// headerSecrets returns the values in a request's header that must not be shown. Of other
// headers a value counts from the length of a token: a shorter one, such as a name, may
// be part of any page.
func headerSecrets(h http.Header) []string {
	var list []string
	for name, values := range h {
		for _, value := range values {
			if len(value) < minCookie && !secretHeader.MatchString(name) {
				continue
			}
			list = append(list, value)
			if scheme, credentials, ok := strings.Cut(value, " "); ok {
				list = append(list, credentials)
				user, password, _ := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
				if strings.EqualFold(scheme, "Basic") {
					list = append(list, password, user+":"+password)
				}
			}
		}
	}
	return list
}

// formsOf returns the forms in which a server may return a secret.
func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string gives no error
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"),
		string(quoted[1 : len(quoted)-1]), html.EscapeString(secret),
	}
	for before := range 3 { // other bytes share the first and the last character of base64
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

// concealEnd replaces the beginning of a form at the end of a text.
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
