package checks

import (
	"regexp"
	"strings"
	"sync"
)

// Reason returns the reason for which a request failed. Reasons that package probes, its drivers
// or the operating system write are translated; anything else, such as a reason that an
// application reports, is returned as it is.
func (l Language) Reason(text string) string {
	if l != Chinese {
		return text
	}
	before := ""
	if found := dialled.FindStringSubmatch(text); found != nil {
		before, text = found[1]+"：", text[len(found[0]):]
	}
	for _, reason := range chineseReasons() {
		if found := reason.pattern.FindStringSubmatchIndex(text); found != nil {
			return before + string(reason.pattern.ExpandString(nil, reason.text, text, found))
		}
	}
	return strings.Replace(before, "：", ": ", 1) + text
}

// dialled matches the address before an error of a connection.
var dialled = regexp.MustCompile(`^(?:dial tcp )?(\[?[\w.:%-]+\]?:\d+): (?:connect: )?`)

type chineseReason struct {
	pattern *regexp.Regexp
	text    string // with $1 for groups
}

// chineseReasons are the translations of reasons. A pattern matches the whole text.
var chineseReasons = sync.OnceValue(func() []chineseReason {
	var all []chineseReason
	add := func(pattern, text string) {
		all = append(all, chineseReason{regexp.MustCompile("^(?:" + pattern + ")$"), text})
	}
	for _, r := range reasonsInChinese {
		add(r[0], r[1])
	}
	for _, r := range refusalsInChinese {
		for _, known := range [][2]string{{`, (".*")`, "，$2"}, {`, (\d+) bytes of other content`, "，$2 字节的其他内容"}, {}} {
			add(r[0]+`: (?:got )?HTTP status (\d+)`+known[0]+`(?:, want .*)?`, r[1]+"：HTTP $1"+known[1]+r[2])
		}
	}
	return all
})

// refusalsInChinese are refused handshakes of Engine.IO and SignalR: what follows in a reason is the HTTP status, and
// Engine.IO's own message or the size of the answer. The third text is the end of the translation.
var refusalsInChinese = [][3]string{
	{"the node that received this request does not know the new session", "收到该请求的节点不认识新会话"},
	{"no session", "没有会话"},
	{"the upgrade to WebSocket was refused", "WebSocket 升级被拒绝", "，应为 101"},
	{"the poll was refused", "轮询被拒绝"},
}

// reasonsInChinese translates reasons. The scenarios of internal/web show all of these that
// the demo can cause.
var reasonsInChinese = [][2]string{
	// Connections.
	{"connection refused", "连接被拒绝"},
	{"no route to host", "没有到主机的路由"},
	{"network is unreachable", "网络不可达"},
	{"host is down", "主机已关闭"},
	{"connection reset by peer", "连接被对方重置"},
	{"(?:failed to read: )?use of closed network connection", "连接已关闭"},
	{`no answer within (\S+) \(looking up the name\)`, "$1 内未解析出域名"},
	{`no answer within (\S+) \(connecting\)`, "$1 内未建立连接"},
	{`no answer within (\S+) \(TLS handshake\)`, "$1 内未完成 TLS 握手"},
	{`no answer within (\S+) \(reading the answer\)`, "$1 内未收完应答"},
	{`no answer within (\S+) \(.*\)`, "$1 内无应答"},
	{`connection closed before the answer was complete \(.*\)`, "连接在应答完成前关闭"},
	{`(?:dial tcp: )?lookup (\S+)(?: on \S+)?: no such host`, "域名 $1 不存在"},
	{"stickwatch was interrupted", "stickwatch 已中断"},

	// HTTP.
	{"redirect loop", "循环重定向"},
	{"more than 5 redirects", "重定向超过 5 次"},
	{"malformed HTTP status code", "HTTP 状态码格式错误"},
	{"malformed HTTP response.*", "HTTP 响应格式错误"},
	{"malformed HTTP .*", "HTTP 格式错误"},
	{"malformed MIME header", "HTTP 响应头格式错误"},
	{"the compressed answer is too long", "压缩的应答过长"},
	{"the compressed answer has too many parts", "压缩的应答分段过多"},
	{"the status is not a JSON object", "状态不是 JSON 对象"},
	{`got HTTP status (\d+), want one below 500`, "返回 HTTP $1，应小于 500"},

	// Engine.IO and SignalR, beside refusalsInChinese.
	{`the node that received this request does not know the new connection`, "收到该请求的节点不认识新连接"},
	{`no Engine\.IO: got (\d+) bytes of other content, want an open packet`, "不是 Engine.IO：得到 $1 字节的其他内容，应为 open 包"},
	{`no Engine\.IO: got (".*"), want an open packet`, "不是 Engine.IO：得到 $1，应为 open 包"},
	{"the answer to the upgrade is not a WebSocket handshake", "对升级的应答不是 WebSocket 握手"},
	{"the WebSocket opened, but does not use (Engine\\.IO|SignalR)", "WebSocket 已打开，但不是 $1"},
	{"no SignalR: the answer to the negotiation is no connection", "不是 SignalR：协商的应答不是连接"},
	{`no connection: the negotiation got HTTP status (\d+)`, "没有连接：协商返回 HTTP $1"},

	// Dependencies.
	{`got a reply .*, which is no answer to a ping`, "应答不是对 ping 的回复"},
	{`the server does not use the (\S+) protocol.*`, "服务器使用的不是 $1 协议"},
}

// targetsInChinese are the targets of findings that are words, and not names of the set-up.
var targetsInChinese = map[string]string{
	"rotation": "轮转", "labels": "节点标识", "interval": "间隔", "status": "状态页", "login": "登录", "none": "无 Cookie",
	afterMove: "移动之后", lostPacketsTarget: "丢包", sessionsLost: "会话丢失", crashLoop: "反复重启",
}

// TargetIn returns a target of a finding, or the node and target of its key, for people.
func TargetIn(l Language, target string) string {
	if l != Chinese {
		return target
	}
	for word, translated := range targetsInChinese {
		if rest, found := strings.CutSuffix(target, word); found && (rest == "" || strings.HasSuffix(rest, " ")) {
			return rest + translated
		}
	}
	return target
}
