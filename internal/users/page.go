package users

import (
	"net/url"
	"regexp"
	"strings"
)

// A Page describes the session test page of an application. The first group of an
// expression captures the value from the body of an answer.
type Page struct {
	Path   string         // path of the page, such as /cluster/test
	Write  string         // path and query that store "{value}" in the session; "": nothing is stored
	Node   *regexp.Regexp // node that answered
	ID     *regexp.Regexp // session id, without a route; nil: not shown
	Value  *regexp.Regexp // stored value; nil: not shown
	Socket string         // path of the Engine.IO endpoint that the page's script connects to; "": none
}

// value matches the value that was stored last.
var value = regexp.MustCompile(`(?m)^key1=(\S+)$`)

// The pages that nodes of package demo serve.
var (
	// Generic is the test page of stickwatch's own conventions.
	Generic = Page{
		Path: "/cluster/test", Write: "/cluster/test?key1={value}",
		Node:  regexp.MustCompile(`<th>node</th><td>([^<]+)<`),
		ID:    regexp.MustCompile(`<th>sessionid</th><td>([^<]+)<`),
		Value: value,
	}
	// EBridge is the test page of Weaver e-Bridge.
	EBridge = Page{
		Path: "/main/base/cluster/test", Write: "/main/base/cluster/test?key1={value}",
		Node:  regexp.MustCompile(`当前节点（node）：([^<]+)<`),
		ID:    regexp.MustCompile(`会话（sessionid）：([^<]+)<`),
		Value: value,
	}
	// Tomcat is a page of an application with Tomcat's session replication.
	Tomcat = Page{
		Path: "/cluster/index.jsp", Write: "/cluster/index.jsp?key1={value}",
		Node:  regexp.MustCompile(`<h1>([^<]+)</h1>`),
		ID:    regexp.MustCompile(`Session ID: ([0-9A-F]+)`),
		Value: value,
	}
	// MSM is the test page of memcached-session-manager.
	MSM = Page{
		Path: "/index.jsp", Write: "/index.jsp?key1={value}",
		Node:  regexp.MustCompile(`This is Tomcat server (\S+)`),
		ID:    regexp.MustCompile(`SessionID:([0-9A-F]+)`),
		Value: value,
	}
	// Strategy is the status page of Strategy Collaboration Server, which identifies
	// processes and has no session that can be lost. Its clients use socket.io.
	Strategy = Page{Path: "/status", Node: regexp.MustCompile(`"pid":\s*(\d+)`), Socket: "/socket.io/"}
)

// socketID matches the id in the answer that opens an Engine.IO connection.
var socketID = regexp.MustCompile(`"sid":"([^"]+)"`)

// An answer is the content of a page. A field is empty where the page does not show it.
type answer struct {
	node, id, value string
}

// parseAnswer extracts the answer from a body.
func (p Page) parseAnswer(body string) answer {
	return answer{node: firstGroup(p.Node, body), id: firstGroup(p.ID, body), value: firstGroup(p.Value, body)}
}

func firstGroup(re *regexp.Regexp, text string) string {
	if re == nil {
		return ""
	}
	if m := re.FindStringSubmatch(text); len(m) > 1 {
		return m[1]
	}
	return ""
}

// writePath returns the path and query that store v; "" where nothing can be stored.
func (p Page) writePath(v string) string {
	return strings.ReplaceAll(p.Write, "{value}", url.QueryEscape(v))
}
