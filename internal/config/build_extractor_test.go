package config

import (
	"net/http"
	"testing"

	"stickwatch/probes"
)

// TestBalancerCookie uses hashes computed by other programs from the addresses of
// balancer_cookie.yml.
func TestBalancerCookie(t *testing.T) {
	const (
		nginxNode1 = "1484b8b3753313249a03bcfd7b96938d"                                 // MD5 of 10.0.0.1:80
		nginxNode3 = "95e1efd9fdd4ec77e661880b460224b5"                                 // MD5 of app3:8080
		caddyNode2 = "60da75dbe80a84f2715fb10b6a83edc0acfa1023772ce0645a42272b2db2a09b" // HMAC of 10.0.0.2:8080
		ingress2   = "7e6f086d2c018fea7e77307a4d657522"                                 // MD5 of shop-web-8010.0.0.2:8080
	)
	tests := map[string]struct {
		cluster, cookie, value string
		header                 string
		want                   string
	}{
		"the id":                         {cluster: "any", cookie: "SERVERID", value: "node2", want: "node2"},
		"the label":                      {cluster: "any", cookie: "JSESSIONID", value: "0123.tomcat1", want: "node1"},
		"the server's name":              {cluster: "any", cookie: "SERVERID", value: "web1", want: "node1"},
		"the address, its port left out": {cluster: "any", cookie: "route", value: nginxNode1, want: "node1"},
		"the server's address":           {cluster: "any", cookie: "route", value: nginxNode3, want: "node3"},
		"the URL":                        {cluster: "any", cookie: "_1d52e", value: "d1a653a6b43e2e0b", want: "node2"},
		"a stranger":                     {cluster: "any", cookie: "SERVERID", value: "node9"},
		"no cookie":                      {cluster: "any"},
		"the named cookie":               {cluster: "named", cookie: "shop", value: "node2", want: "node2"},
		"another cookie":                 {cluster: "named", cookie: "SERVERID", value: "node2"},
		"without the secret":             {cluster: "any", cookie: "lb", value: caddyNode2},
		"with the secret":                {cluster: "secret", cookie: "lb", value: caddyNode2, want: "node2"},
		"with the secret of a file":      {cluster: "secret file", cookie: "lb", value: caddyNode2, want: "node2"},
		"without the backend":            {cluster: "any", cookie: "INGRESSCOOKIE", value: ingress2 + "|4a1b"},
		"with the backend":               {cluster: "backend", cookie: "INGRESSCOOKIE", value: ingress2 + "|4a1b", want: "node2"},
		"the page's word":                {cluster: "page first", cookie: "SERVERID", value: "node2", header: "node1", want: "node1"},
		"a page without a word":          {cluster: "page first", cookie: "SERVERID", value: "node2", want: "node2"},
	}
	c := parseGood(t, "balancer_cookie")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			doc := probes.Document{Header: http.Header{}, Cookies: map[string]string{tt.cookie: tt.value}}
			if tt.header != "" {
				doc.Header.Set("X-Node", tt.header)
			}
			got, ok := c.Cluster(tt.cluster).Session.Node.Extract(doc)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %t, want %q", got, ok, tt.want)
			}
		})
	}
}
