// Package slacktest is a Slack of one's own on loopback: the few methods that
// stickwatch calls, with Slack's checks of what it is sent, and with faults.
//
// It decodes what arrives by itself, knowing nothing of the library that sent
// it, and is stricter than Slack: an argument or a field that Slack does not
// document is refused here, and ignored there.
package slacktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/alerting/internal/pipenet"
)

// Token is the only one that is valid.
const Token = "xoxb-test-token"

// HookPath is the secret part of the incoming webhook's address.
const HookPath = "/services/T00000000/B00000000/hooksecret"

// A Server is a workspace with a few channels.
type Server struct {
	http  *httptest.Server
	pipes *pipenet.Listener // nil: the server listens on loopback
	done  chan struct{}     // closed when the server closes: delayed answers stop waiting

	mu       sync.Mutex
	channels []string // names; the position makes the id
	messages []Message
	faults   []Fault
	calls    []string
	last     int // number of the newest message
}

// A Message is what a channel shows.
type Message struct {
	Channel     string // its id
	TS          string // unique, and growing
	Thread      string // TS of the message that it replies to; "": it stands in the channel
	Text        string
	Attachments string // JSON
	Blocks      string // JSON
	Metadata    string // JSON
	Edits       int
}

// New starts a workspace with channels of these names; without any, with "ops".
func New(channels ...string) *Server {
	s := workspace(channels)
	s.http = httptest.NewServer(s.mux())
	return s
}

// NewInMemory is New, but only the workspace's Client reaches it: it works in a
// testing/synctest bubble, where seconds of latency cost none.
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
	mux.Handle(HookPath, s.faulty("webhook", http.HandlerFunc(s.hook)))
	return mux
}

// Close ends the server and every answer under way.
func (s *Server) Close() {
	close(s.done)
	s.http.Close()
}

// Client reaches the workspace.
func (s *Server) Client() *http.Client {
	if s.pipes != nil {
		return s.pipes.Client()
	}
	return s.http.Client()
}

// URL is the address of the API; it ends in a slash.
func (s *Server) URL() string { return s.http.URL + "/api/" }

// HookURL is the address of an incoming webhook into the first channel.
func (s *Server) HookURL() string { return s.http.URL + HookPath }

// ChannelID is the id of a channel by its name.
func (s *Server) ChannelID(name string) string {
	id, _ := s.channel("#" + name)
	return id
}

// Messages are all that were posted and not deleted, oldest first, as they are
// now.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Calls are the methods that were called, in order, failed ones included; the
// incoming webhook is "webhook".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Delete removes a message, as somebody in the channel might.
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

// channel resolves an id, or a name with or without its "#".
func (s *Server) channel(wanted string) (id string, ok bool) {
	for i, name := range s.channels {
		id := fmt.Sprintf("C%08dX", i)
		if wanted == id || strings.TrimPrefix(wanted, "#") == name {
			return id, true
		}
	}
	return "", false
}

// add puts a message at the end; the caller holds the lock.
func (s *Server) add(m Message) Message {
	s.last++
	m.TS = fmt.Sprintf("%d.%06d", time.Now().Unix(), s.last)
	s.messages = append(s.messages, m)
	return m
}

// find returns the message with a timestamp, nil if there is none; the caller
// holds the lock.
func (s *Server) find(channel, ts string) *Message {
	for i := range s.messages {
		if m := &s.messages[i]; m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}
