package config

import (
	"net/url"
	"strings"

	"stickwatch/probes"
)

// Secrets returns the credentials of a receiver, which must not be shown.
func (r Receiver) Secrets() []string {
	var all []string
	if s := r.Slack; s != nil {
		all = append(all, s.Token.Reveal(), s.WebhookURL.Reveal())
		if hook, err := url.Parse(s.WebhookURL.Reveal()); err == nil {
			all = append(all, secretPath(hook)...)
		}
		if api, err := url.Parse(s.APIURL); err == nil {
			all = append(all, probes.SecretsOf(api)...)
		}
	}
	if a := r.Alertmanager; a != nil {
		all = append(all, probes.SecretsOf(a.URL)...)
	}
	if w := r.Webhook; w != nil {
		all = append(append(all, w.Secret.Reveal()), probes.SecretsOf(w.URL)...)
		all = append(all, secretPath(w.URL)...)
	}
	return all
}

// secretPath returns the parts of a webhook's address that are credentials: its path
// with the query, the longer elements of the path, and the values of the query.
func secretPath(hook *url.URL) []string {
	if hook == nil {
		return nil
	}
	const minSecretLength = 16 // a shorter element is an ordinary word
	all := []string{hook.RequestURI()}
	if len(hook.RequestURI()) < minSecretLength {
		all = nil
	}
	for element := range strings.SplitSeq(hook.Path, "/") {
		if len(element) >= minSecretLength {
			all = append(all, element)
		}
	}
	for _, values := range hook.Query() {
		all = append(all, values...)
	}
	return all
}
