// Package chattest is a stub of the APIs of chat and on-call services, with their documented
// formats, limits and errors. It records who is paged by each message.
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
	Token  = "f00dcafe-0123-4567-89ab-cdef01234567" // the key or token of every service
	Secret = "SEC0123456789abcdef"                  // signs requests to robots
)

// A Message is a message that a service accepted.
type Message struct {
	Host  string
	Text  string   // all text that is shown
	Body  string   // the body of the request
	Pages []string // users that the message mentions, so that the service pages them
}

// A Server is an http.Handler for all services. The host of a request selects the service.
type Server struct {
	Signed bool // robots require signatures with Secret

	mu       sync.Mutex
	faults   []http.HandlerFunc
	messages []Message
	calls    int
	accepted map[string][]time.Time // by host
}

// An api is the API of a service.
type api struct {
	perMinute int                                               // maximum number of messages; 0: any number
	limited   http.HandlerFunc                                  // responds to further ones
	parse     func(s *Server, r *http.Request, b []byte) parsed // parses a request with body b
}

// A parsed is a message with its response, or a refusal.
type parsed struct {
	text    string
	pages   []string
	refused http.HandlerFunc // nil: the message is accepted
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

// Fail adds handlers for the next requests, each for one.
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
	m := a.parse(s, r, body)
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

// tooMany counts a message. It reports whether perMinute were accepted in the last minute.
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

// Start serves on loopback. It returns a client that sends the requests for any host to the
// server, and a function that stops the server.
func (s *Server) Start() (*http.Client, func()) {
	server := httptest.NewServer(s)
	address, _ := url.Parse(server.URL)
	return &http.Client{Transport: FixedAddress{address, server.Client().Transport}}, server.Close
}

// A FixedAddress is a transport that sends the requests for any host to one address. The Host
// header is unchanged.
type FixedAddress struct {
	To   *url.URL
	Next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (f FixedAddress) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := req.Clone(req.Context())
	sent.Host = req.URL.Host
	sent.URL.Scheme, sent.URL.Host = f.To.Scheme, f.To.Host
	return f.Next.RoundTrip(sent)
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

// decode parses JSON. It returns false if the JSON is invalid or has members that into lacks.
func decode(body []byte, into any) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into) == nil
}
