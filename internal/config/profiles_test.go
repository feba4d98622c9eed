package config

import (
	"net/http"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// TestProfileExtractors tests the extractors of every profile with answers of its
// product.
func TestProfileExtractors(t *testing.T) {
	type found struct{ Node, ID, Store, Value string }
	named := func(name, value string) map[string]string { return map[string]string{name: value} }
	cookie := func(value string) map[string]string { return named("JSESSIONID", value) }
	const pasted = `{"node": "node1", "session": "5f0c3b1a9d2e4f67", "value": "41"}`
	tests := []struct {
		name, profile, body string
		cookies             map[string]string
		header              http.Header
		want                found
	}{
		{
			name: "json", profile: "generic",
			body: `{"node": "node1", "session": "abc"}`,
			want: found{Node: "node1", ID: "abc"},
		},
		{
			name: "table", profile: "ebridge",
			body: `<html><meta charset="utf-8"><table><tr><td>当前节点（node）</td><td>node2</td></tr>` +
				`<tr><td>会话（sessionid）</td><td>0A1B2C</td></tr></table>`,
			want: found{Node: "node2", ID: "0A1B2C"},
		},
		{
			name: "text", profile: "ebridge",
			body: "当前节点（node）：node2\n会话(sessionid): 0A1B2C\n",
			want: found{Node: "node2", ID: "0A1B2C"},
		},
		{
			name: "paused", profile: "strategy-collaboration",
			body: `{"version":"11.0.0.720","enableTls":false,"scaling":"horizontal","logging":true,"state":"paused",` +
				`"reason":"The following dependent services are unavailable: DB Service, Redis Server",` +
				`"main":{"cpu":{"current":0,"max":17},"up_since":"2018-4-18 02:12:42","pid":900}}`,
			want: found{Node: "900/2018-4-18 02:12:42"},
		},
		{
			name: "with a route", profile: "tomcat",
			body:    `<p>key1=42</p><p>key2=null</p>`,
			cookies: cookie("0123456789ABCDEF0123456789ABCDEF.tomcat1"),
			want:    found{Node: "tomcat1", ID: "0123456789ABCDEF0123456789ABCDEF", Value: "42"},
		},
		{
			name: "route with a dot", profile: "tomcat",
			body:    `key1 = "7"`,
			cookies: cookie("AB.C.tomcat2"),
			want:    found{Node: "C.tomcat2", ID: "AB", Value: "7"},
		},
		{
			name: "without a route", profile: "tomcat",
			body:    "key1=5<br>",
			cookies: cookie("AB"),
			want:    found{ID: "AB", Value: "5"},
		},
		{
			name: "memcached and route", profile: "tomcat-msm",
			body:    "SessionID: AB-n1.tomcat1",
			cookies: cookie("AB-n1.tomcat1"),
			want:    found{Node: "tomcat1", ID: "AB", Store: "n1"},
		},
		{
			name: "memcached alone", profile: "tomcat-msm",
			body:    "SessionIP:10.0.0.9<br/>SessionPort:80<br/>This is Tomcat server 201 !",
			cookies: cookie("AB-n1"),
			want:    found{Node: "201", ID: "AB", Store: "n1"},
		},
		{
			name: "route alone", profile: "tomcat-msm",
			cookies: cookie("AB.tomcat1"),
			want:    found{Node: "tomcat1", ID: "AB"},
		},
		{
			name: "route with a hyphen", profile: "tomcat-msm",
			cookies: cookie("AB.tomcat-1"),
			want:    found{Node: "tomcat-1", ID: "AB"},
		},
		{
			name: "memcached and route with a hyphen", profile: "tomcat-msm",
			cookies: cookie("AB-n1.tomcat-1"),
			want:    found{Node: "tomcat-1", ID: "AB", Store: "n1"},
		},
		{name: "page", profile: "tomcat-sticky", body: pasted, cookies: cookie("AB.tomcat1"), want: found{Node: "node1", ID: "5f0c3b1a9d2e4f67", Value: "41"}},
		{name: "cookie", profile: "tomcat-sticky", cookies: cookie("AB.tomcat1"), want: found{Node: "tomcat1", ID: "AB"}},
		{name: "three servers", profile: "wildfly", cookies: cookie("AB.node1.node2.node3"), want: found{Node: "node1", ID: "AB"}},
		{name: "primary and secondary", profile: "weblogic", cookies: cookie("AB!-1637!2091!1717"), want: found{Node: "-1637", ID: "AB"}},
		{name: "clones", profile: "websphere", cookies: cookie("0000AB:17ds2:18ds3"), want: found{Node: "17ds2"}},
		{name: "page", profile: "websphere", body: pasted, cookies: cookie("0001AB:17ds2"), want: found{Node: "node1", ID: "5f0c3b1a9d2e4f67", Value: "41"}},
		{name: "cookie", profile: "spring-session", cookies: named("SESSION", "QUI="), want: found{ID: "QUI="}},
		{name: "cookie", profile: "php", cookies: named("PHPSESSID", "ab"), want: found{ID: "ab"}},
		{name: "page", profile: "php", body: pasted, cookies: named("PHPSESSID", "ab"), want: found{Node: "node1", ID: "5f0c3b1a9d2e4f67", Value: "41"}},
		{name: "cookie", profile: "express", cookies: named("connect.sid", "s%3Aab.c"), want: found{ID: "s%3Aab.c"}},
		{name: "cookie", profile: "django", cookies: named("sessionid", "ab"), want: found{ID: "ab"}},
		{name: "cookie that changes", profile: "rails", cookies: named("_shop_session", "ab")},
		{name: "cookie", profile: "aspnet-core", cookies: named(".AspNetCore.Session", "CfDJ8"), want: found{ID: "CfDJ8"}},
		{name: "page", profile: "test-page", body: pasted, want: found{Node: "node1", ID: "5f0c3b1a9d2e4f67", Value: "41"}},
		{name: "owner", profile: "keycloak", cookies: named("AUTH_SESSION_ID", "8f2b.node2-41"), want: found{ID: "8f2b"}},
		{name: "process", profile: "jenkins", header: http.Header{"X-Jenkins-Session": {"1a2b3c4d"}}, want: found{Node: "1a2b3c4d"}},
	}
	for _, tt := range tests {
		t.Run(tt.profile+"/"+tt.name, func(t *testing.T) {
			session := parseGood(t, "profile_"+tt.profile).Clusters[0].Session
			doc := probes.Document{Body: []byte(tt.body), Cookies: tt.cookies, Header: tt.header}
			read := func(e probes.Extractor) string {
				if e == nil {
					return ""
				}
				value, _ := e.Extract(doc)
				return value
			}
			got := found{Node: read(session.Node), ID: read(session.ID), Store: read(session.Store), Value: read(session.Read)}
			expect.Equal(t, "result", tt.want, got)
		})
	}
}

// TestProfileCookies checks that session cookies in the formats of products belong to the
// first profile that they match.
func TestProfileCookies(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"JSESSIONID", "0123456789ABCDEF0123456789ABCDEF", "tomcat-sticky"},
		{"JSESSIONID", "0123456789ABCDEF0123456789ABCDEF.tomcat1", "tomcat-sticky"},
		{"JSESSIONID", "Wd8Xr-4hQ0sTnJc_pLzK1vYbU7eMiOaFgD2x5N9q.node1", "wildfly"},
		{"JSESSIONID", "GQh2LyzF7p!-1637522912!2091!1717000000000", "weblogic"},
		{"JSESSIONID", "0000kzXGJdPmXh0vQbUaw9LdB2f:17ds2", "websphere"},
		{"JSESSIONID.1a2b3c4d", "node01ab", "jenkins"},
		{"SESSION", "QUI=", "spring-session"},
		{"PHPSESSID", "ab", "php"},
		{"connect.sid", "s%3Aab.c", "express"},
		{"sessionid", "ab", "django"},
		{"_shop_session", "ab", "rails"},
		{".AspNetCore.Session", "CfDJ8", "aspnet-core"},
		{".AspNetCore.Antiforgery.w5W7x28NAIs", "CfDJ8", "aspnet-core"},
		{"AUTH_SESSION_ID", "8f2b.node2", "keycloak"},
		{"csrftoken", "ab", ""},
	} {
		got := ""
		for _, p := range Profiles() {
			if p.Cookie.Matches(tt.name, tt.value) {
				got = p.Name
				break
			}
		}
		if got != tt.want {
			t.Errorf("%s=%s: got %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}
