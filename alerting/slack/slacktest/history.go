package slacktest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

var paging = []string{"cursor", "limit", "oldest", "latest", "inclusive", "include_all_metadata"}

// A page is the response of methods that list messages.
type page struct {
	apiAnswer
	Messages         []wireMessage `json:"messages"`
	HasMore          bool          `json:"has_more"`
	ResponseMetadata cursor        `json:"response_metadata"`
}

type cursor struct {
	Next string `json:"next_cursor"`
}

type wireMessage struct {
	Type        string          `json:"type"`
	TS          string          `json:"ts"`
	Thread      string          `json:"thread_ts,omitempty"`
	Text        string          `json:"text"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Blocks      json.RawMessage `json:"blocks,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
}

// history lists the messages in a channel without replies, newest first.
func (s *Server) history(args url.Values) any {
	channel, _ := s.channel(args.Get("channel"))
	if channel == "" || channel != args.Get("channel") {
		return refusal("channel_not_found")
	}
	found := s.choose(func(m Message) bool { return m.Channel == channel && m.Thread == "" && within(m.TS, args) })
	slices.Reverse(found)
	return paged(found, args)
}

// replies lists a message and the replies to it, oldest first.
func (s *Server) replies(args url.Values) any {
	channel, root := args.Get("channel"), args.Get("ts")
	if s.find(channel, root) == nil {
		return refusal("thread_not_found")
	}
	return paged(s.choose(func(m Message) bool {
		return m.Channel == channel && (m.TS == root || m.Thread == root && within(m.TS, args))
	}), args)
}

func (s *Server) list(url.Values) any {
	type channel struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	var all []channel
	for _, name := range s.channels {
		id, _ := s.channel(name)
		all = append(all, channel{id, name})
	}
	return struct {
		apiAnswer
		Channels []channel `json:"channels"`
	}{apiAnswer{OK: true}, all}
}

func (s *Server) choose(wanted func(Message) bool) []Message {
	var found []Message
	for _, m := range s.messages {
		if wanted(m) {
			found = append(found, m)
		}
	}
	return found
}

// within reports whether a message is in the requested time range.
func within(ts string, args url.Values) bool {
	oldest, latest := args.Get("oldest"), args.Get("latest")
	return (oldest == "" || order(ts, oldest) > 0) && (latest == "" || order(ts, latest) < 0)
}

// order compares timestamps: seconds, a dot, and a number of six digits.
func order(a, b string) int {
	pad := func(ts string) string {
		seconds, rest, _ := strings.Cut(ts, ".")
		return strings.Repeat("0", max(0, 20-len(seconds))) + seconds + "." + rest + strings.Repeat("0", max(0, 6-len(rest)))
	}
	return strings.Compare(pad(a), pad(b))
}

// paged returns a page; the cursor is the index of its first message.
func paged(found []Message, args url.Values) any {
	limit, _ := strconv.Atoi(args.Get("limit"))
	if limit <= 0 || limit > 999 {
		limit = 100
	}
	first, _ := strconv.Atoi(args.Get("cursor"))
	first = min(max(first, 0), len(found))
	last := min(first+limit, len(found))
	p := page{apiAnswer: apiAnswer{OK: true}, HasMore: last < len(found), Messages: []wireMessage{}}
	for _, m := range found[first:last] {
		w := wireMessage{"message", m.TS, m.Thread, m.Text, raw(m.Attachments), raw(m.Blocks), nil}
		if all := args.Get("include_all_metadata"); all == "1" || all == "true" {
			w.Metadata = raw(m.Metadata)
		}
		p.Messages = append(p.Messages, w)
	}
	if p.HasMore {
		p.ResponseMetadata.Next = strconv.Itoa(last)
	}
	return p
}

func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
