package web

import (
	"strings"
	"testing"

	"stickwatch/internal/expect"
)

// TestExpandLink: values are escaped for their place, and a link with an unknown value is left
// out.
func TestExpandLink(t *testing.T) {
	values := map[string]string{"cluster": `a/b?c&d#e "<`, "from": "1"}
	for template, want := range map[string]string{
		"https://g/d?var={cluster}&from={from}": "https://g/d?var=a%2Fb%3Fc%26d%23e+%22%3C&from=1",
		"https://g/{cluster}/x":                 "https://g/a%2Fb%3Fc&d%23e%20%22%3C/x",
		"https://g/?a#{cluster}":                "https://g/?a#a%2Fb%3Fc&d%23e%20%22%3C",
		"https://g/{node}":                      "",
		"https://g/":                            "https://g/",
	} {
		if got, _ := (LinkTemplate{"x", template}).expand(values); got != want {
			t.Errorf("%s: got %q, want %q", template, got, want)
		}
	}
}

// TestLinks: the pages of clusters and incidents have the links for which they have values.
func TestLinks(t *testing.T) {
	d := newFakeDaemon(redisDown("shop"))
	s := d.server(t, func(c *Config) {
		c.Links = []LinkTemplate{
			{"Grafana", "https://grafana.example/d/x?var-cluster={cluster}&from={from}&to={to}"},
			{"Runbook", "https://wiki.example/{code}"},
		}
	})
	incident := "/incidents/" + d.fakeClusters[0].incidents[0].ID
	for path, want := range map[string][2]bool{"/clusters/shop": {true, false}, incident: {true, true}} {
		body := getPage(s, path).Body.String()
		got := [2]bool{
			strings.Contains(body, `href="https://grafana.example/d/x?var-cluster=shop&amp;from=17`),
			strings.Contains(body, `href="https://wiki.example/dependency_down"`),
		}
		expect.Equal(t, path, want, got)
	}
}
