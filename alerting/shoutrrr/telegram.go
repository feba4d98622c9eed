package shoutrrr

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/probes"
)

// newTelegram returns a bot in a chat: telegram://TOKEN@telegram?chats=CHAT, where CHAT
// is an ID or @NAME, and :THREAD selects a topic. Telegram accepts 4096 characters:
// https://core.telegram.org/bots/api#sendmessage.
func newTelegram(address *url.URL, p *parameters) (service, error) {
	password, _ := address.User.Password()
	chats := list(p.take("chats", "channels"))
	silent := slices.Contains([]string{"no", "false", "0"}, strings.ToLower(p.take("notification")))
	p.take("preview") // there is none
	if address.User.Username() == "" || password == "" {
		return nil, errors.New("has no token: expected telegram://TOKEN@telegram?chats=CHAT")
	}
	if len(chats) != 1 {
		return nil, fmt.Errorf("has %d chats: expected one, and a receiver for each", len(chats))
	}
	name, topic, _ := strings.Cut(chats[0], ":")
	thread, err := strconv.Atoi(cmp.Or(topic, "0"))
	if err != nil {
		return nil, errors.New("has a topic that is not a number: expected chats=CHAT:NUMBER")
	}
	return &chat{
		endpoint: post.Endpoint{
			URL:   &url.URL{Scheme: "https", Host: "api.telegram.org", Path: "/bot" + address.User.Username() + ":" + password + "/sendMessage"},
			Judge: judgeTelegram,
		},
		limits: []int{4096, fallbackLimit},
		body: func(_ alerting.Notification, m message.Message, limit int) any {
			b := telegramBody{Chat: name, Thread: thread, Text: m.Render(message.HTML, limit), Mode: "HTML", Silent: silent}
			b.Preview.Disabled = true
			return b
		},
	}, nil
}

type telegramBody struct {
	Chat    string `json:"chat_id"`
	Thread  int    `json:"message_thread_id,omitempty"`
	Text    string `json:"text"`
	Mode    string `json:"parse_mode"`
	Silent  bool   `json:"disable_notification,omitempty"`
	Preview struct {
		Disabled bool `json:"is_disabled"`
	} `json:"link_preview_options"`
}

// judgeTelegram implements post.Judge. Status 400 is also that of a chat that does not
// exist, so only what is said about the text is permanent.
func judgeTelegram(status int, answer []byte) (judged bool, err error) {
	var a struct {
		OK          *bool  `json:"ok"`
		Description string `json:"description"`
		Parameters  struct {
			RetryAfter int64 `json:"retry_after"` // seconds
		} `json:"parameters"`
	}
	if json.Unmarshal(answer, &a) != nil || a.OK == nil {
		return post.NoCode(status)
	}
	if *a.OK {
		return true, nil
	}
	err = fmt.Errorf("telegram returned %d: %q", status, probes.Clean(a.Description, post.MaxReason))
	about := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(a.Description, word) })
	}
	switch {
	case status == http.StatusTooManyRequests:
		return true, alerting.Retriable{After: post.BoundPause(time.Duration(min(a.Parameters.RetryAfter, 1<<30)) * time.Second), Err: err}
	case status >= 500:
		return true, alerting.Retriable{Err: err}
	case about("message is too long", "parse entities", "text is empty"):
		return true, alerting.Permanent{Err: err}
	case about("chat not found", "upgraded to a supergroup"):
		err = fmt.Errorf("%w (correct the chat, and invite the bot to it)", err)
	case status == http.StatusUnauthorized, status == http.StatusNotFound:
		err = fmt.Errorf("%w (give the token of the bot)", err)
	}
	return true, alerting.Retriable{After: post.RepairPause, Err: err}
}
