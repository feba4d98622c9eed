package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/probes"
)

// TestProfileExtractors tests the extractors of every profile with answers of its
// product.
func TestProfileExtractors(t *testing.T) {
	type found struct{ Node, ID, Store, Value string }
	cookie := func(value string) map[string]string { return map[string]string{"JSESSIONID": value} }
	tests := []struct {
		name, profile, body string
		cookies             map[string]string
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
	}
	for _, tt := range tests {
		t.Run(tt.profile+"/"+tt.name, func(t *testing.T) {
			session := parseGood(t, "profile_"+tt.profile).Clusters[0].Session
			doc := probes.Document{Body: []byte(tt.body), Cookies: tt.cookies}
			read := func(e probes.Extractor) string {
				if e == nil {
					return ""
				}
				value, _ := e.Extract(doc)
				return value
			}
			got := found{Node: read(session.Node), ID: read(session.ID), Store: read(session.Store), Value: read(session.Read)}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
