package importer

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// maxQuestions limits the questions of an import: a large file has hundreds of guesses,
// which are better reviewed in the written file.
const maxQuestions = 12

// A Question is about a guess with few candidates, which a person may know better.
type Question struct {
	Cluster, Key string
	Why          phrase.Phrase // what is guessed, and why
	Options      []string      // candidates; the first one is written without an answer

	validate func(string) error
	apply    func(string)
}

// Question returns the next question. It returns false if there are no more. Each
// question is returned once.
func (imp *Import) Question() (Question, bool) {
	for _, c := range imp.candidates {
		if !c.skeleton.IsZero() || c.kind == "" || imp.asked >= maxQuestions {
			continue
		}
		for _, q := range c.questions() {
			if !slices.Contains(c.asked, q.Key) {
				c.asked = append(c.asked, q.Key)
				imp.asked++
				return q, true
			}
		}
	}
	return Question{}, false
}

// Answer takes the number of an option, counted from 1, or another value. The value is
// no guess then. An empty answer keeps the guess.
func (q Question) Answer(text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(q.Options) {
		text = q.Options[n-1]
	}
	if err := q.validate(text); err != nil {
		return err
	}
	q.apply(text)
	return nil
}

// questions returns the questions about a candidate, as it is now.
func (c *candidate) questions() []Question {
	out := c.addressQuestion()
	if app := c.application(); app.guessed && c.profile == "" && app.profile != "" {
		options := slices.Compact([]string{app.profile, "generic"})
		out = append(out, Question{
			Cluster: c.name, Key: "profile", Why: app.why, Options: options,
			validate: oneOf(config.ProfileNames()), apply: func(text string) { c.profile, c.profileAnswered = text, true },
		})
	}
	if c.application().profile == "tomcat" && c.keepsClients() && c.policy == "" && c.tried.shared == probes.SessionUnknown && (c.profile == "" || c.profileAnswered) {
		policies := []string{string(probes.PolicyReplicated), string(probes.PolicySticky), string(probes.PolicyShared)}
		out = append(out, Question{
			Cluster: c.name, Key: "session.policy", Why: phrase.New("it is unknown whether its nodes share sessions"), Options: policies,
			validate: oneOf(policies), apply: func(text string) { c.policy = text },
		})
	}
	return append(out, c.portQuestions()...)
}

// addressQuestion asks for the address for users, if it is guessed.
func (c *candidate) addressQuestion() []Question {
	if len(c.site.frontends) == 0 || c.site.frontends[0].guess.IsZero() {
		return nil
	}
	own := c.site.frontends[0]
	options := []string{own.url}
	for _, other := range c.sites {
		for _, front := range other.frontends {
			if !slices.Contains(options, front.url) && len(options) < maxSeen {
				options = append(options, front.url)
			}
		}
	}
	return []Question{{
		Cluster: c.name, Key: "balancer.url", Why: own.withPosition(own.guess), Options: options,
		validate: isAddress,
		apply: func(text string) {
			c.site.frontends = []frontend{{url: strings.TrimRight(text, "/"), port: own.port}}
			c.unguess("balancer.url", own.withPosition(own.guess).String())
		},
	}}
}

// portQuestions ask for the HTTP ports of nodes that speak AJP.
func (c *candidate) portQuestions() (out []Question) {
	for i, from := range c.servers {
		k := slices.IndexFunc(c.nodes, func(n node) bool { return n.From == from.position.String() && n.Unlisted.IsZero() })
		if from.scheme != "ajp" || k < 0 {
			continue
		}
		n := &c.nodes[k]
		own := n.URL
		options := []string{own}
		host, _ := splitAddress(from.address)
		if usual := webAddress("http", host, "8080") + from.path + c.base.to; usual != own {
			options = append(options, usual)
		}
		withPort := func(text string) string { // a port alone
			if text != "" && strings.Trim(text, "0123456789") == "" {
				return webAddress("http", host, text) + from.path + c.base.to
			}
			return text
		}
		out = append(out, Question{
			Cluster: c.name, Key: "nodes." + n.ID, Why: phrase.New("%s speaks AJP: where does %s answer HTTP?", c.servers[i].address, n.ID), Options: options,
			validate: func(text string) error { return isAddress(withPort(text)) },
			apply: func(text string) {
				n.URL = strings.TrimRight(withPort(text), "/")
				c.moved = c.moved || n.URL != own
				c.unguess("nodes", from.position.String()+": ")
			},
		})
	}
	return out
}

// unguess removes guesses on a key whose text has a prefix.
func (c *candidate) unguess(key, prefix string) {
	c.keyComments = slices.DeleteFunc(c.keyComments, func(comment keyComment) bool {
		return comment.key == key && comment.guessed && strings.HasPrefix(comment.text.String(), prefix)
	})
}

func oneOf(values []string) func(string) error {
	return func(text string) error {
		if !slices.Contains(values, text) {
			return fmt.Errorf("%s: expected one of %s", quoted(text), strings.Join(values, ", "))
		}
		return nil
	}
}

var errNoAddress = errors.New("expected http://HOST or https://HOST, with or without a port")

func isAddress(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !validAddress(u.Host) || u.User != nil || !isValidPath(u.Path) || u.RawQuery != "" {
		return fmt.Errorf("%s: %w", quoted(text), errNoAddress)
	}
	return nil
}
