package chattest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// dingTalk is a custom robot:
// https://open.dingtalk.com/document/robots/custom-robot-access.
var dingTalk = api{
	perMinute: 20,
	limited:   Answer(200, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`),
	parse: func(s *Server, r *http.Request, body []byte) parsed {
		q := r.URL.Query()
		at, _ := strconv.ParseInt(q.Get("timestamp"), 10, 64)
		var m struct {
			Type     string `json:"msgtype"`
			Markdown struct{ Title, Text string }
			At       struct {
				IsAtAll   bool     `json:"isAtAll"`
				AtMobiles []string `json:"atMobiles"`
			}
		}
		switch {
		case r.URL.Path != "/robot/send":
			return parsed{refused: http.NotFound}
		case q.Get("access_token") != Token:
			return parsed{refused: Answer(200, `{"errcode":300001,"errmsg":"token is not exist"}`)}
		case s.Signed && (!recent(time.UnixMilli(at)) || q.Get("sign") != sign(Secret, q.Get("timestamp")+"\n"+Secret)):
			return parsed{refused: Answer(200, `{"errcode":310000,"errmsg":"sign not match"}`)}
		case len(body) > 20_000:
			return parsed{refused: Answer(200, `{"errcode":460101,"errmsg":"message too long, exceed 20000 bytes"}`)}
		case !decode(body, &m), m.Type != "markdown", m.Markdown.Title == "", m.Markdown.Text == "":
			return parsed{refused: Answer(200, `{"errcode":40035,"errmsg":"params error"}`)}
		}
		pages := m.At.AtMobiles
		if m.At.IsAtAll {
			pages = append(pages, "all")
		}
		return parsed{text: m.Markdown.Title + "\n" + m.Markdown.Text, pages: pages, answer: Answer(200, `{"errcode":0,"errmsg":"ok"}`)}
	},
}

// weCom is a group robot: https://developer.work.weixin.qq.com/document/path/91770.
var weCom = api{
	perMinute: 20,
	limited:   Answer(200, `{"errcode":45009,"errmsg":"api freq out of limit"}`),
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		type text struct {
			Content string
			Users   []string `json:"mentioned_list"`
			Mobiles []string `json:"mentioned_mobile_list"`
		}
		var m struct {
			Type     string `json:"msgtype"`
			Markdown struct{ Content string }
			Text     text
		}
		switch {
		case r.URL.Path != "/cgi-bin/webhook/send":
			return parsed{refused: http.NotFound}
		case r.URL.Query().Get("key") != Token:
			return parsed{refused: Answer(200, `{"errcode":93000,"errmsg":"invalid webhook url, hint: [1700000000_1_abcdef]"}`)}
		case !decode(body, &m), !utf8.Valid(body):
			return parsed{refused: Answer(200, `{"errcode":47001,"errmsg":"data format error"}`)}
		case m.Type == "markdown" && len(m.Markdown.Content) > 4096, m.Type == "text" && len(m.Text.Content) > 2048:
			return parsed{refused: Answer(200, `{"errcode":40058,"errmsg":"content exceed max length. invalid Request Parameter"}`)}
		case m.Type == "markdown" && m.Markdown.Content == "", m.Type == "text" && m.Text.Content == "":
			return parsed{refused: Answer(200, `{"errcode":44004,"errmsg":"empty content"}`)}
		case m.Type != "markdown" && m.Type != "text":
			return parsed{refused: Answer(200, `{"errcode":40008,"errmsg":"invalid message type"}`)}
		}
		shown := m.Markdown.Content + m.Text.Content
		pages := slices.Concat(m.Text.Users, m.Text.Mobiles, found(`<@([^>]+)>`, shown))
		return parsed{text: shown, pages: pages, answer: Answer(200, `{"errcode":0,"errmsg":"ok"}`)}
	},
}

// lark is a custom bot:
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot.
var lark = api{
	perMinute: 100,
	limited:   Answer(400, `{"code":11232,"msg":"frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]","data":{}}`),
	parse: func(s *Server, r *http.Request, body []byte) parsed {
		type text struct{ Tag, Content string }
		type button struct {
			Tag, Type, URL string
			Text           text
		}
		var m struct {
			Timestamp, Sign string
			Type            string `json:"msg_type"`
			Card            struct {
				Config struct {
					Wide bool `json:"wide_screen_mode"`
				}
				Header struct {
					Title    text
					Template string
				}
				Elements []struct {
					Tag     string
					Text    text
					Actions []button
				}
			}
		}
		decoded := decode(body, &m)
		at, _ := strconv.ParseInt(m.Timestamp, 10, 64)
		switch {
		case r.URL.Path != "/open-apis/bot/v2/hook/"+Token:
			return parsed{refused: Answer(200, `{"code":19001,"msg":"param invalid: incoming webhook access token invalid","data":{}}`)}
		case s.Signed && (!recent(time.Unix(at, 0)) || m.Sign != sign(m.Timestamp+"\n"+Secret, "")):
			return parsed{refused: Answer(200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time","data":{}}`)}
		case !decoded, m.Type != "interactive", len(body) > 20<<10:
			return parsed{refused: Answer(400, `{"code":9499,"msg":"Bad Request","data":{}}`)}
		case !slices.Contains([]string{"blue", "green", "orange", "red"}, m.Card.Header.Template):
			return parsed{refused: Answer(400, `{"code":11246,"msg":"card content is wrong","data":{}}`)}
		}
		shown := []text{m.Card.Header.Title}
		for _, e := range m.Card.Elements {
			shown = append(shown, e.Text)
			for _, b := range e.Actions {
				shown = append(shown, b.Text, text{"url", b.URL})
			}
		}
		var all, pages []string
		for _, t := range shown {
			all = append(all, t.Content)
			if t.Tag == "lark_md" {
				pages = append(pages, found(`<at (?:id|email)=([^>]+)>`, t.Content)...)
			}
		}
		return parsed{text: strings.Join(all, "\n"), pages: pages, answer: Answer(200, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`)}
	},
}

// recent reports whether the time of a signature is within an hour.
func recent(at time.Time) bool { return time.Since(at).Abs() < time.Hour }

func sign(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// found returns the first group of all matches.
func found(pattern, text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
