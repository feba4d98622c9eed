// Package dingtalk sends notifications to a DingTalk group through a custom robot. A
// robot can neither update nor search messages, so each notification is a message of
// its own, delivered at least once.
//
// The format, limits and error codes are those of
// https://open.dingtalk.com/document/robots/custom-robot-access.
package dingtalk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// Config configures a Robot.
type Config struct {
	Token  alerting.Secret // the access_token of the robot's address
	Secret alerting.Secret // signs requests; nil or empty: they are not signed
	Writer message.Writer  // creates the content
	Client *http.Client    // nil: one with timeouts
}

// A Robot sends notifications to the group of a custom robot.
type Robot struct {
	endpoint post.Endpoint
	token    string
	key      []byte
	writer   message.Writer
}

// address is where robots send messages.
var address = url.URL{Scheme: "https", Host: "oapi.dingtalk.com", Path: "/robot/send"}

// The bounds of a message in bytes. DingTalk refuses bodies of more than 20 000; JSON
// needs up to two bytes for one of the text.
const (
	maxText  = 9000
	maxShort = 1000
	maxTitle = 100
)

// codes are the error codes of robots.
var codes = post.Codes{
	Service: "DingTalk",
	Read:    post.ReadJSON("errcode", "errmsg"),
	Limited: []int{130101, 410100, 90018, 90030},                  // 20 messages a minute
	Passing: []int{-1, 15, 40078},                                 // busy; a timeout; a temporary code
	Message: []int{460101, 40035, 430101, 430102, 430103, 430104}, // too long; no JSON; links or words that are not allowed
	Advice: map[int]string{
		300001: "give the access_token of the robot's address",
		310000: "in the robot's security settings, choose a signature and give its secret, or add this host or a word of the message",
		400013: "the group was dissolved: add a robot to another",
		400101: "give the access_token of the robot's address",
		400102: "the robot is disabled: enable it",
	},
}

// New returns a Robot. It sends no request.
func New(c Config) (*Robot, error) {
	if c.Token.Reveal() == "" {
		return nil, errors.New("reading the token of the robot: it is empty")
	}
	r := &Robot{endpoint: post.Endpoint{Client: post.Client(c.Client), Judge: codes.Judge}, token: c.Token.Reveal(), writer: c.Writer}
	if c.Secret != nil {
		r.key = []byte(c.Secret.Reveal())
	}
	return r, nil
}

// Notify sends a notification. It returns no thread. If DingTalk refuses the message,
// Notify offers the headline and the links only.
func (r *Robot) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	m := r.writer.Write(n)
	return alerting.DeliveryRef{}, post.SendWithin(func(limit int) error {
		return r.post(ctx, m, limit)
	}, maxText, maxShort)
}

func (r *Robot) post(ctx context.Context, m message.Message, limit int) error {
	var body struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Title string `json:"title"` // in the list of conversations
			Text  string `json:"text"`
		} `json:"markdown"`
	}
	body.Type = "markdown"
	body.Markdown.Title = message.Markdown.Fit(m.Headline, maxTitle)
	body.Markdown.Text = m.Render(message.Markdown, limit)
	content, err := post.JSON(body)
	if err != nil {
		return alerting.Permanent{Err: err}
	}
	endpoint := r.endpoint
	endpoint.URL = r.signed(time.Now())
	return endpoint.Post(ctx, http.Header{"Content-Type": {"application/json"}}, content)
}

// signed returns the address of the robot with a signature, which DingTalk accepts for
// an hour. The key signs the time in milliseconds, a line feed, and the key itself.
func (r *Robot) signed(at time.Time) *url.URL {
	query := url.Values{"access_token": {r.token}}
	if len(r.key) > 0 {
		timestamp := strconv.FormatInt(at.UnixMilli(), 10)
		mac := hmac.New(sha256.New, r.key)
		mac.Write([]byte(timestamp + "\n" + string(r.key)))
		query.Set("timestamp", timestamp)
		query.Set("sign", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	u := address
	u.RawQuery = query.Encode()
	return &u
}
