package probes

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
)

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
