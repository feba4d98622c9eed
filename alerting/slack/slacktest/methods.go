package slacktest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// A method handles the calls of one method of the API. Its function runs with Server.mu locked.
type method struct {
	arguments []string
	call      func(*Server, url.Values) any
}

// contentArguments are the arguments for the content of a message.
var contentArguments = []string{"text", "attachments", "blocks", "metadata", "parse", "link_names"}

var methods = map[string]method{
	"auth.test": {nil, (*Server).authTest},
	"chat.postMessage": {
		append([]string{"channel", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media", "mrkdwn"}, contentArguments...),
		(*Server).postMessage,
	},
	"chat.update":           {append([]string{"channel", "ts"}, contentArguments...), (*Server).update},
	"conversations.history": {append([]string{"channel"}, paging...), (*Server).history},
	"conversations.replies": {append([]string{"channel", "ts"}, paging...), (*Server).replies},
	"conversations.list":    {[]string{"cursor", "limit", "exclude_archived", "types"}, (*Server).list},
}

// apiAnswer is the beginning of a response; Error is "" if OK is set.
type apiAnswer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func refusal(code string) apiAnswer { return apiAnswer{Error: code} }

// answer returns the handler of a method, which checks the token and the names of the arguments first.
func (s *Server) answer(m method) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			respond(w, refusal("invalid_form_data"))
			return
		}
		if r.PostForm.Get("token") != Token && r.Header.Get("Authorization") != "Bearer "+Token {
			respond(w, refusal("invalid_auth"))
			return
		}
		for name := range r.PostForm {
			if name != "token" && !slices.Contains(m.arguments, name) {
				respond(w, refusal("invalid_arguments"))
				return
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		respond(w, m.call(s, r.PostForm))
	})
}

func respond(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) authTest(url.Values) any {
	return struct {
		apiAnswer
		Team string `json:"team"`
		User string `json:"user"`
	}{apiAnswer{OK: true}, "test", "stickwatch"}
}

// posted is the response of methods that store a message.
type posted struct {
	apiAnswer
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

func (s *Server) postMessage(args url.Values) any {
	channel, known := s.channel(args.Get("channel"))
	if !known {
		return refusal("channel_not_found")
	}
	if code := validate(args); code != "" {
		return refusal(code)
	}
	thread := args.Get("thread_ts")
	if s.find(channel, thread) == nil {
		thread = "" // a reply to a message that was deleted is shown in the channel
	}
	m := Message{Channel: channel, Thread: thread, Metadata: args.Get("metadata")}
	m.write(args)
	m = s.add(m)
	return posted{apiAnswer{OK: true}, channel, m.TS}
}

// update changes the given fields. Text without blocks replaces earlier blocks.
func (s *Server) update(args url.Values) any {
	channel, _ := s.channel(args.Get("channel"))
	if channel != args.Get("channel") { // chat.update accepts only ids
		return refusal("channel_not_found")
	}
	m := s.find(channel, args.Get("ts"))
	if m == nil {
		return refusal("message_not_found")
	}
	if code := validate(args); code != "" {
		return refusal(code)
	}
	if args.Has("text") && !args.Has("blocks") {
		m.Blocks = ""
	}
	m.write(args)
	m.Edits++
	return posted{apiAnswer{OK: true}, channel, m.TS}
}

// write sets the fields that are given.
func (m *Message) write(args url.Values) {
	for name, field := range map[string]*string{
		"text": &m.Text, "attachments": &m.Attachments, "blocks": &m.Blocks, "metadata": &m.Metadata,
	} {
		if args.Has(name) {
			*field = args.Get(name)
		}
	}
}
