// Package chattest is a stub of the APIs of chats, with their documented formats, limits
// and errors. Each refuses what the service refuses, and records whom a message pages.
package chattest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// The credentials that the stub accepts.
const (
	Token  = "f00dcafe-0123-4567-89ab-cdef01234567" // keys and tokens of robots
	Secret = "SEC0123456789abcdef"                  // of their signatures
)

// A Message is a message that a service accepted.
type Message struct {
	Host  string
	Text  string   // everything that its readers see
	Body  string   // as it was sent
	Pages []string // whom the service pages for it
}

// A Server has all services. It implements http.Handler: the host of a request selects
// the service.
type Server struct {
	Signed bool // robots demand signatures under Secret

	mu       sync.Mutex
	faults   []http.HandlerFunc
	messages []Message
	calls    int
	accepted map[string][]time.Time // by host
}

// An api reads a request to a service.
type api struct {
	perMinute int                                                // how many messages it accepts; 0: any number
	limited   http.HandlerFunc                                   // answers when there are more
	read      func(s *Server, r *http.Request, b []byte) reading // reads a message
}

// A reading is a message, or the reason why it is refused.
type reading struct {
	text    string
	pages   []string
	refused http.HandlerFunc
	answer  http.HandlerFunc
}

var apis = map[string]api{
	"oapi.dingtalk.com":   dingTalk,
	"qyapi.weixin.qq.com": weCom,
	"open.feishu.cn":      lark,
	"open.larksuite.com":  lark,

	"api.telegram.org":           telegram,
	"events.pagerduty.com":       pagerDuty,
	"api.opsgenie.com":           opsgenie,
	"contoso.webhook.office.com": teams,
	"chat.shop.example":          mattermost,
	"ntfy.shop.example":          ntfy,
}

// Fail makes the next requests fail, one by each function.
func (s *Server) Fail(faults ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Messages returns the accepted messages.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Calls returns the number of requests.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if len(s.faults) > 0 {
		fault := s.faults[0]
		s.faults = s.faults[1:]
		fault(w, r)
		return
	}
	a, ok := apis[r.Host]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "want a POST of JSON", http.StatusMethodNotAllowed)
		return
	}
	m := a.read(s, r, body)
	switch {
	case m.refused != nil:
		m.refused(w, r)
	case a.perMinute > 0 && s.tooMany(r.Host, a.perMinute):
		a.limited(w, r)
	default:
		s.messages = append(s.messages, Message{Host: r.Host, Text: m.text, Body: string(body), Pages: m.pages})
		m.answer(w, r)
	}
}

// tooMany counts a message, and reports whether its minute has too many.
func (s *Server) tooMany(host string, perMinute int) bool {
	now := time.Now()
	recent := slices.DeleteFunc(s.accepted[host], func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	full := len(recent) >= perMinute
	if !full {
		recent = append(recent, now)
	}
	if s.accepted == nil {
		s.accepted = map[string][]time.Time{}
	}
	s.accepted[host] = recent
	return full
}

// Start serves on loopback, and returns a client that is led there whatever the host of
// its request, and a function that ends the server.
func (s *Server) Start() (*http.Client, func()) {
	server := httptest.NewServer(s)
	address, _ := url.Parse(server.URL)
	return &http.Client{Transport: Leading{address, server.Client().Transport}}, server.Close
}

// Leading leads the requests for any host to one address. They keep the name of their
// host.
type Leading struct {
	To   *url.URL
	Next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (l Leading) RoundTrip(req *http.Request) (*http.Response, error) {
	led := req.Clone(req.Context())
	led.Host = req.URL.Host
	led.URL.Scheme, led.URL.Host = l.To.Scheme, l.To.Host
	return l.Next.RoundTrip(led)
}

// Answer returns a handler that answers with a status, a body, and headers.
func Answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// decode reads JSON, without members that the service does not know.
func decode(body []byte, into any) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into) == nil
}
