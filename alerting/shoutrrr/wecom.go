package shoutrrr

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// weComCodes are the error codes of group robots:
// https://developer.work.weixin.qq.com/document/path/91770 and path/90313.
var weComCodes = post.Codes{
	Service: "WeCom",
	Read:    post.ReadJSON("errcode", "errmsg"),
	Limited: []int{45009, 45033},                             // 20 messages a minute; at once
	Passing: []int{-1},                                       // busy
	Message: []int{40008, 40058, 44004, 45002, 46003, 47001}, // its type, length or format
	Advice: map[int]string{
		93000: "give the key of the robot's address",
		93004: "the robot was removed: add another",
		93008: "the robot is not in the group: add it",
	},
}

var weComKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// newWeCom returns a group robot: wecom://KEY?mentioned_list=a,b&mentioned_mobile_list=.
// WeCom accepts 4096 bytes of Markdown. Only text, of 2048 bytes, can mention readers by
// telephone number, or all of them.
func newWeCom(u *url.URL, p *parameters) (service, error) {
	if !weComKey.MatchString(u.Host) || u.Path != "" {
		return nil, errors.New("has no key of a group robot: expected wecom://KEY")
	}
	users, mobiles := list(p.take("mentioned_list")), list(p.take("mentioned_mobile_list"))
	s := &chat{
		endpoint: post.Endpoint{
			URL:   &url.URL{Scheme: "https", Host: "qyapi.weixin.qq.com", Path: "/cgi-bin/webhook/send", RawQuery: url.Values{"key": {u.Host}}.Encode()},
			Judge: weComCodes.Judge,
		},
		limits: []int{4096, fallbackLimit},
		body: func(_ alerting.Notification, m message.Message, limit int) any {
			return weComMarkdown{"markdown", weComText{Content: m.Render(line, limit)}}
		},
	}
	if len(users)+len(mobiles) > 0 {
		s.limits = []int{2048, 500}
		s.body = func(n alerting.Notification, m message.Message, limit int) any {
			text := weComText{Content: m.Render(quiet, limit)}
			if !m.Resolved && n.Kind != alerting.NotificationDeployment {
				text.Users, text.Mobiles = users, mobiles
			}
			return weComPlain{"text", text}
		}
	}
	return s, nil
}

// quiet is text in which no name is a mention.
var quiet = func() message.Markup {
	k := message.Text
	k.Escape = message.Markdown.Escape
	return k
}()

// list returns the elements of a list with commas.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

type weComMarkdown struct {
	Type     string    `json:"msgtype"`
	Markdown weComText `json:"markdown"`
}

type weComPlain struct {
	Type string    `json:"msgtype"`
	Text weComText `json:"text"`
}

type weComText struct {
	Content string   `json:"content"`
	Users   []string `json:"mentioned_list,omitempty"`
	Mobiles []string `json:"mentioned_mobile_list,omitempty"`
}
