package config

import (
	"net/url"
	"strings"

	"stickwatch/probes"
)

// Secrets are all by which a receiver is reached and that must not be shown.
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

// secretPath are the parts of a webhook's address that are its password: its path
// with the query, the longer elements of the path, and the values of the query.
func secretPath(hook *url.URL) []string {
	if hook == nil {
		return nil
	}
	const minSecretLength = 16 // else it is a word
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
