package importer

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

// maxQuestions limits the questions of an import: a large file has hundreds of guesses,
// which are better reviewed in the written file.
const maxQuestions = 12

// A Question is about a guess with few candidates, which a person may know better.
type Question struct {
	Cluster, Key string
	Why          string   // what is guessed, and why
	Options      []string // candidates; the first one is written without an answer

	validate func(string) error
	apply    func(string)
}

// Question returns the next question. It returns false if there are no more. Each
// question is returned once.
func (s *Import) Question() (Question, bool) {
	for _, c := range s.candidates {
		if c.skeleton != "" || c.kind == "" || s.asked >= maxQuestions {
			continue
		}
		for _, q := range c.questions() {
			if !slices.Contains(c.asked, q.Key) {
				c.asked = append(c.asked, q.Key)
				s.asked++
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
func (s *candidate) questions() []Question {
	out := s.addressQuestion()
	if app := s.application(); app.guessed && s.profile == "" && app.profile != "" {
		options := slices.Compact([]string{app.profile, "generic"})
		out = append(out, Question{
			Cluster: s.name, Key: "profile", Why: app.why, Options: options,
			validate: oneOf(config.ProfileNames()), apply: func(text string) { s.profile, s.profileAnswered = text, true },
		})
	}
	if s.application().profile == "tomcat" && s.keepsClients() && s.policy == "" && s.tried.shared == probes.SessionUnknown && (s.profile == "" || s.profileAnswered) {
		policies := []string{string(probes.PolicyReplicated), string(probes.PolicySticky), string(probes.PolicyShared)}
		out = append(out, Question{
			Cluster: s.name, Key: "session.policy", Why: "it is unknown whether its nodes share sessions", Options: policies,
			validate: oneOf(policies), apply: func(text string) { s.policy = text },
		})
	}
	return append(out, s.portQuestions()...)
}

// addressQuestion asks for the address for users, if it is guessed.
func (s *candidate) addressQuestion() []Question {
	if len(s.site.frontends) == 0 || s.site.frontends[0].guess == "" {
		return nil
	}
	own := s.site.frontends[0]
	options := []string{own.url}
	for _, other := range s.sites {
		for _, e := range other.frontends {
			if !slices.Contains(options, e.url) && len(options) < maxSeen {
				options = append(options, e.url)
			}
		}
	}
	return []Question{{
		Cluster: s.name, Key: "balancer.url", Why: own.withPosition(own.guess), Options: options,
		validate: isAddress,
		apply: func(text string) {
			s.site.frontends = []frontend{{url: strings.TrimRight(text, "/"), port: own.port}}
			s.unguess("balancer.url", own.withPosition(own.guess))
		},
	}}
}

// portQuestions ask for the HTTP ports of nodes that speak AJP.
func (s *candidate) portQuestions() (out []Question) {
	for i, from := range s.servers {
		k := slices.IndexFunc(s.nodes, func(n node) bool { return n.From == from.position.String() && n.Unlisted == "" })
		if from.scheme != "ajp" || k < 0 {
			continue
		}
		n := &s.nodes[k]
		own := n.URL
		options := []string{own}
		host, _ := splitAddress(from.address)
		if usual := webAddress("http", host, "8080") + from.path + s.base.to; usual != own {
			options = append(options, usual)
		}
		withPort := func(text string) string { // a port alone
			if text != "" && strings.Trim(text, "0123456789") == "" {
				return webAddress("http", host, text) + from.path + s.base.to
			}
			return text
		}
		out = append(out, Question{
			Cluster: s.name, Key: "nodes." + n.ID, Why: s.servers[i].address + " speaks AJP: where does " + n.ID + " answer HTTP?", Options: options,
			validate: func(text string) error { return isAddress(withPort(text)) },
			apply: func(text string) {
				n.URL = strings.TrimRight(withPort(text), "/")
				s.moved = s.moved || n.URL != own
				s.unguess("nodes", from.position.String()+": ")
			},
		})
	}
	return out
}

// unguess removes guesses on a key whose text has a prefix.
func (s *candidate) unguess(key, prefix string) {
	s.keyComments = slices.DeleteFunc(s.keyComments, func(c keyComment) bool {
		return c.key == key && c.guessed && strings.HasPrefix(c.text, prefix)
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
