// Package shoutrrr sends notifications to the services of a shoutrrr URL, such as
// wecom://KEY or smtp://USER:PASSWORD@HOST.
//
// The URLs are those of the library github.com/nicholas-fedor/shoutrrr, but the services
// are written for this package: the library hides the status and the pause that a service
// asks for, cannot be interrupted, and fails where a message exceeds a limit.
package shoutrrr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// Config configures the receiver of a service URL.
type Config struct {
	URL    alerting.Secret
	Writer message.Writer // creates the content
	Client *http.Client   // nil: one with timeouts
	Logger *slog.Logger   // nil: no log
}

// A service delivers messages.
type service interface {
	send(context.Context, alerting.Notification, message.Message) (alerting.DeliveryRef, error)
}

// constructors create the services, by scheme.
var constructors = map[string]func(*url.URL, *parameters) (service, error){
	"wecom":      newWeCom,
	"lark":       newLark,
	"smtp":       newSMTP,
	"telegram":   newTelegram,
	"teams":      newTeams,
	"mattermost": newMattermost,
	"ntfy":       newNtfy,
	"pagerduty":  newPagerDuty,
	"opsgenie":   newOpsgenie,
}

// Check returns an error if a URL is not that of a service. The error continues a
// message about the URL and contains no part of it.
func Check(address string) error {
	_, err := parse(address)
	return err
}

// New returns the notifier of a service URL. It sends no request.
func New(c Config) (alerting.Notifier, error) {
	s, err := parse(c.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("reading the service URL: it %w", err)
	}
	switch s := s.(type) {
	case *chat:
		s.endpoint.Client = post.Client(c.Client)
	case *mailer:
		s.logger = cmp.Or(c.Logger, s.logger)
	}
	return notifier{s, c.Writer}, nil
}

func parse(address string) (service, error) {
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		return nil, errors.New("has no scheme: expected SERVICE://..., such as wecom://KEY")
	}
	newService, ok := constructors[scheme]
	if !ok {
		return nil, fmt.Errorf("is of an unknown service: expected one of %s", strings.Join(Schemes(), ", "))
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("is not a URL: escape the characters of its keys and passwords (%40 for @)")
	}
	p := &parameters{values: map[string]string{}}
	for name, values := range u.Query() {
		p.values[strings.ToLower(name)] = values[0]
	}
	s, err := newService(u, p)
	if err != nil {
		return nil, err
	}
	return s, p.unused()
}

// Schemes returns the schemes of service URLs, sorted.
func Schemes() []string { return slices.Sorted(maps.Keys(constructors)) }

// Secrets returns the parts of a service URL that are credentials.
func Secrets(address string) []string {
	all := []string{address}
	u, err := url.Parse(address)
	if err != nil {
		return all
	}
	const least = 12 // bytes: shorter parts are words
	parts := append(strings.Split(u.Path, "/"), u.Host)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.Username())
		all = append(all, password, u.User.Username()+":"+password)
	}
	for _, part := range parts {
		if len(part) >= least && !strings.ContainsAny(part, ".@") {
			all = append(all, part)
		}
	}
	return all
}

// A notifier writes messages for a service.
type notifier struct {
	service service
	writer  message.Writer
}

// Notify implements alerting.Notifier.
func (n notifier) Notify(ctx context.Context, what alerting.Notification) (alerting.DeliveryRef, error) {
	return n.service.send(ctx, what, n.writer.Write(what))
}

// parameters are those of a URL, by name in lower case.
type parameters struct{ values map[string]string }

// take returns and removes the first of some names that the URL has.
func (p *parameters) take(names ...string) string {
	for _, name := range names {
		if value, ok := p.values[name]; ok {
			delete(p.values, name)
			return value
		}
	}
	return ""
}

// takeBool takes a parameter that is yes or no; false if the URL does not have it.
func (p *parameters) takeBool(name string) bool {
	return slices.Contains([]string{"yes", "true", "1"}, strings.ToLower(p.take(name)))
}

// unused returns an error if the URL has parameters that its service does not know.
func (p *parameters) unused() error {
	if names := slices.Sorted(maps.Keys(p.values)); len(names) > 0 {
		return fmt.Errorf("has the parameter %q, which is not used here", names[0])
	}
	return nil
}

// pathOf returns the elements of a URL's path.
func pathOf(u *url.URL) []string {
	return slices.DeleteFunc(strings.Split(u.Path, "/"), func(element string) bool { return element == "" })
}

// fallbackLimit is tried if a service refuses a text within its documented limit, because it
// may count the text differently.
const fallbackLimit = 1000

// A chat is a service that accepts a message as a POST of JSON.
type chat struct {
	endpoint post.Endpoint
	header   http.Header
	limits   []int // of the text, in the order in which they are tried
	body     func(n alerting.Notification, m message.Message, limit int) any
	at       func(alerting.Notification) *url.URL // nil: that of endpoint
}

func (c *chat) send(ctx context.Context, n alerting.Notification, m message.Message) (alerting.DeliveryRef, error) {
	endpoint := c.endpoint
	if c.at != nil {
		endpoint.URL = c.at(n)
	}
	return alerting.DeliveryRef{}, post.SendWithin(func(limit int) error {
		content, err := post.JSON(c.body(n, m, limit))
		if err != nil {
			return alerting.Permanent{Err: err}
		}
		header := http.Header{"Content-Type": {"application/json"}}
		maps.Copy(header, c.header)
		return endpoint.Post(ctx, header, content)
	}, c.limits...)
}

// line is Markdown in which each line of the message is one of the chat.
var line = withBreak(message.Markdown, "\n")

func withBreak(k message.Markup, text string) message.Markup {
	k.Break = text
	return k
}
