// Package slacktest is a fake of Slack on loopback with the methods that stickwatch
// calls, the checks of Slack, and faults.
//
// It decodes requests without the client library and is stricter than Slack: it
// refuses arguments and fields that Slack does not document and ignores.
package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/alerting/internal/pipenet"
)

// Token is the only valid token.
const Token = "xoxb-test-token"

// hookPath is the secret path of the incoming webhook.
const hookPath = "/services/T00000000/B00000000/hooksecret"

// A Server is a workspace with a few channels.
type Server struct {
	http  *httptest.Server
	pipes *pipenet.Listener // nil: the server listens on loopback
	done  chan struct{}     // closed when the server closes, which ends delayed responses

	mu       sync.Mutex
	channels []string // names; the position makes the id
	messages []Message
	faults   []Fault
	calls    []string
	last     int // number of the latest message
}

// A Message is a message in a channel.
type Message struct {
	Channel     string // its id
	TS          string // unique and increasing
	Thread      string // TS of the message that it replies to; "": none
	Text        string
	Attachments string // JSON
	Blocks      string // JSON
	Metadata    string // JSON
	Edits       int
}

// New starts a workspace with channels; without names, with "ops".
func New(channels ...string) *Server {
	s := workspace(channels)
	s.http = httptest.NewServer(s.mux())
	return s
}

// NewInMemory starts a workspace that only its Client can reach. It works in a
// testing/synctest bubble, in which latency takes no time.
func NewInMemory(channels ...string) *Server {
	s := workspace(channels)
	s.pipes = pipenet.Listen()
	s.http = &httptest.Server{Listener: s.pipes, Config: &http.Server{Handler: s.mux()}}
	s.http.Start()
	return s
}

func workspace(channels []string) *Server {
	if len(channels) == 0 {
		channels = []string{"ops"}
	}
	return &Server{channels: channels, done: make(chan struct{})}
}

func (s *Server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for name, m := range methods {
		mux.Handle("/api/"+name, s.faulty(name, s.answer(m)))
	}
	mux.Handle(hookPath, s.faulty("webhook", http.HandlerFunc(s.hook)))
	return mux
}

// Close stops the server and interrupts responses in progress.
func (s *Server) Close() {
	close(s.done)
	s.http.Close()
}

// Client returns a client for the workspace.
func (s *Server) Client() *http.Client {
	if s.pipes != nil {
		return s.pipes.Client()
	}
	return s.http.Client()
}

// URL returns the URL of the API, with a trailing slash.
func (s *Server) URL() string { return s.http.URL + "/api/" }

// HookURL returns the URL of an incoming webhook for the first channel.
func (s *Server) HookURL() string { return s.http.URL + hookPath }

// ChannelID returns the ID of a channel.
func (s *Server) ChannelID(name string) string {
	id, _ := s.channel("#" + name)
	return id
}

// Messages returns the current messages that are not deleted, oldest first.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Calls returns the called methods in order, including failed calls; the incoming
// webhook is "webhook".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Delete removes a message, as a user might.
func (s *Server) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.messages {
		if m.TS == ts {
			s.messages = append(s.messages[:i:i], s.messages[i+1:]...)
			return
		}
	}
}

// channel resolves an ID, or a name with or without "#".
func (s *Server) channel(wanted string) (id string, ok bool) {
	for i, name := range s.channels {
		id := fmt.Sprintf("C%08dX", i)
		if wanted == id || strings.TrimPrefix(wanted, "#") == name {
			return id, true
		}
	}
	return "", false
}

// add appends a message; the caller holds the lock.
func (s *Server) add(m Message) Message {
	s.last++
	m.TS = fmt.Sprintf("%d.%06d", time.Now().Unix(), s.last)
	s.messages = append(s.messages, m)
	return m
}

// find returns the message with a timestamp, or nil; the caller holds the lock.
func (s *Server) find(channel, ts string) *Message {
	for i := range s.messages {
		if m := &s.messages[i]; m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// hookMessage is the body for an incoming webhook. The library adds some flags of
// interactive messages.
type hookMessage struct {
	Text            string          `json:"text"`
	Attachments     json.RawMessage `json:"attachments"`
	Blocks          json.RawMessage `json:"blocks"`
	Parse           string          `json:"parse"`
	UnfurlLinks     *bool           `json:"unfurl_links"`
	UnfurlMedia     *bool           `json:"unfurl_media"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
}

// maxHook bounds the body for an incoming webhook in bytes.
const maxHook = 1 << 20

// hook posts to the first channel. It responds with plain text.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	var m hookMessage
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxHook))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	args := url.Values{"text": {m.Text}, "attachments": {string(m.Attachments)}, "blocks": {string(m.Blocks)}}
	if code := validate(args); code != "" {
		http.Error(w, code, hookStatus(code))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	channel, _ := s.channel(s.channels[0])
	message := Message{Channel: channel}
	message.write(args)
	s.add(message)
	_, _ = w.Write([]byte("ok"))
}
