package importer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
)

// large returns a configuration of about 4,000 lines with 300 upstreams.
func large(p Product) string {
	var out strings.Builder
	part := func(format string, args ...any) { fmt.Fprintf(&out, format, args...) }
	if p == HAProxy {
		part("defaults\n mode http\nfrontend f\n bind :443 ssl crt /x.pem\n bind :80\n http-request redirect scheme https unless { ssl_fc }\n")
	}
	for i := range 300 {
		switch p {
		case Nginx:
			part("upstream app%d {\n ip_hash;\n server 10.0.%d.1:80;\n server 10.0.%d.2:80;\n}\n", i, i%250, i%250)
			part("server {\n listen 80;\n server_name app%d.example.org;\n location ~ ^/v(1|2)/ {\n  proxy_pass http://app%d;\n }\n location / {\n  proxy_pass http://app%d;\n }\n}\n", i, i, i)
		case HAProxy:
			part(" acl host%d hdr(host) -i app%d.example.org\n acl path%d path_reg ^/(v1|v2)/\n use_backend app%d if host%d path%d\n use_backend app%d if host%d\n", i, i, i, i, i, i, i, i)
		case Apache:
			part("<Proxy balancer://app%d>\n BalancerMember http://10.0.%d.1\n BalancerMember http://10.0.%d.2\n ProxySet stickysession=SID\n</Proxy>\n", i, i%250, i%250)
			part("<VirtualHost *:80>\n ServerName app%d.example.org\n ProxyPreserveHost On\n ProxyPassMatch ^/(v1/.*)$ balancer://app%d/$1\n ProxyPass / balancer://app%d/\n ProxyPassReverse / balancer://app%d/\n</VirtualHost>\n\n", i, i, i, i)
		case Caddy:
			part("app%d.example.org {\n encode gzip\n @v path_regexp ^/(v1|v2)/\n handle /api/* {\n  reverse_proxy 10.0.%d.1:80 10.0.%d.2:80\n }\n handle {\n  reverse_proxy 10.1.%d.1:80 10.1.%d.2:80 {\n   lb_policy cookie\n  }\n }\n log\n}\n", i, i%250, i%250, i%250, i%250)
		}
	}
	for i := range 300 {
		if p == HAProxy {
			part("backend app%d\n balance roundrobin\n cookie SRV insert\n option httpchk\n timeout server 5s\n\n server a 10.0.%d.1:80 check cookie a\n server b 10.0.%d.2:80 check cookie b\n", i, i%250, i%250)
		}
	}
	return out.String()
}

// BenchmarkLarge reads a large configuration and writes the file, without requests.
func BenchmarkLarge(b *testing.B) {
	for _, p := range Products {
		text := large(p)
		if text == "" {
			continue
		}
		b.Run(string(p), func(b *testing.B) {
			for b.Loop() {
				s, err := read(p, memoryFiles{"conf": text}, "conf", Options{})
				must.Succeed(b, err)
				if _, err := s.YAML(phrase.Reader{}); err != nil {
					b.Fatal(err)
				}
				s.Guesses(phrase.Reader{})
			}
			b.ReportMetric(float64(strings.Count(text, "\n")), "lines")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/time.Millisecond.Seconds(), "ms/file")
		})
	}
}
