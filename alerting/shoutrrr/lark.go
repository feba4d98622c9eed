package shoutrrr

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/checks"
)

// larkCodes are the error codes of custom bots:
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot.
var larkCodes = post.Codes{
	Service: "Lark",
	Read:    post.ReadJSON("code", "msg"),
	Limited: []int{11232, 11233},               // 100 messages a minute, 5 a second
	Message: []int{9499, 11246, 19002, 230025}, // its format, card or length
	Advice: map[int]string{
		19001: "give the token of the bot's address",
		19021: "give the secret of the bot's signature, and check the clock of this host",
		19022: "add the address of this host to the bot's IP addresses",
		19024: "add a word of the message to the bot's keywords",
	},
}

// The bounds of a card in bytes. Bots refuse bodies of more than 20 kB; JSON needs up to
// two bytes for one of the text.
const (
	maxLark       = 8000
	shortLark     = 1000
	maxLarkTitle  = 300
	maxLarkButton = 60
)

// newLark returns a custom bot of Lark or Feishu: lark://HOST/TOKEN?secret=.
func newLark(u *url.URL, p *parameters) (service, error) {
	path := pathOf(u)
	switch {
	case !slices.Contains([]string{"open.feishu.cn", "open.larksuite.com"}, u.Host):
		return nil, errors.New("has an unknown host: expected lark://open.feishu.cn/TOKEN or lark://open.larksuite.com/TOKEN")
	case len(path) != 1:
		return nil, errors.New("has no token: expected the last part of the bot's address, as in lark://open.feishu.cn/TOKEN")
	}
	secret := p.take("secret")
	return &chat{
		endpoint: post.Endpoint{
			URL:   &url.URL{Scheme: "https", Host: u.Host, Path: "/open-apis/bot/v2/hook/" + path[0]},
			Judge: larkCodes.Judge,
		},
		limits: []int{maxLark, shortLark},
		body: func(_ alerting.Notification, m message.Message, limit int) any {
			b := larkBody{Type: "interactive", Card: larkCardOf(m, limit)}
			if secret != "" {
				b.Timestamp, b.Sign = larkSign(secret, time.Now())
			}
			return b
		},
	}, nil
}

// larkSign returns a signature, which is valid for an hour: the HMAC of nothing under
// the time in seconds, a line feed and the secret.
func larkSign(secret string, at time.Time) (timestamp, sign string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(timestamp+"\n"+secret))
	return timestamp, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// larkCardOf returns a card. Its text is plain_text, in which nothing is a link or a mention.
func larkCardOf(m message.Message, limit int) larkCard {
	var c larkCard
	c.Config.Wide = true
	c.Header.Title = larkPlain(message.Text.Fit(m.Headline, maxLarkTitle))
	c.Header.Template = larkColour(m)
	if body := m.Body(message.Text, limit); body != "" {
		c.Elements = append(c.Elements, larkElement{Tag: "div", Text: larkPlain(body)})
	}
	var buttons []larkElement
	for _, l := range m.Links {
		buttons = append(buttons, larkElement{Tag: "button", Type: "default", Text: larkPlain(message.Text.Fit(l.Text, maxLarkButton)), URL: l.URL})
	}
	if len(buttons) > 0 {
		c.Elements = append(c.Elements, larkElement{Tag: "action", Actions: buttons})
	}
	return c
}

func larkColour(m message.Message) string {
	switch {
	case m.Resolved:
		return "green"
	case m.Severity == checks.Critical:
		return "red"
	case m.Severity == checks.Warning:
		return "orange"
	default:
		return "blue"
	}
}

func larkPlain(text string) *larkLabel { return &larkLabel{"plain_text", text} }

type larkBody struct {
	Timestamp string   `json:"timestamp,omitempty"`
	Sign      string   `json:"sign,omitempty"`
	Type      string   `json:"msg_type"`
	Card      larkCard `json:"card"`
}

type larkCard struct {
	Config struct {
		Wide bool `json:"wide_screen_mode"`
	} `json:"config"`
	Header struct {
		Title    *larkLabel `json:"title"`
		Template string     `json:"template"`
	} `json:"header"`
	Elements []larkElement `json:"elements"`
}

type larkElement struct {
	Tag     string        `json:"tag"`
	Text    *larkLabel    `json:"text,omitempty"`
	Type    string        `json:"type,omitempty"`
	URL     string        `json:"url,omitempty"`
	Actions []larkElement `json:"actions,omitempty"`
}

type larkLabel struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}
