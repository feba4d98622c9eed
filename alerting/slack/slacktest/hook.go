package slacktest

import (
	"encoding/json"
	"net/http"
	"net/url"
)

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
	if code := judge(args); code != "" {
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
