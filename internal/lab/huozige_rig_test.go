package lab

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
	"stickwatch/probes/redis"
)

// A huozige is the cluster of Huozige's guide: server1 and server2, each with app_a and
// app_b, and the Redis with their sessions.
type huozige struct {
	tb     testing.TB
	a, b   []*demo.Node // by server
	redis  *Dependency
	nginx  *NginxBalancer
	url    string
	config *config.Config
}

// huozigeServer is the guide's server block, with an upstream per application. %[1]s is
// the listen address, the others are the servers of the two applications.
const huozigeServer = `
upstream hq-a-server {
	server %[2]s max_fails=30 fail_timeout=20s;
	server %[3]s max_fails=30 fail_timeout=20s;
}
upstream hq-b-server {
	server %[4]s max_fails=30 fail_timeout=20s;
	server %[5]s max_fails=30 fail_timeout=20s;
}
server {
	listen %[1]s;
	server_name hq.example;
	proxy_set_header Upgrade $http_upgrade;
	proxy_set_header Connection keep-alive;
	proxy_set_header Host $host;
	proxy_cache_bypass $http_upgrade;
	proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
	proxy_set_header X-Forwarded-Proto $scheme;
	proxy_set_header X-Real-IP $remote_addr;
	location ^~ /app_a/ {
		proxy_next_upstream error timeout invalid_header;
		proxy_send_timeout 5s;
		proxy_read_timeout 5s;
		proxy_pass http://hq-a-server/app_a/;
		proxy_redirect default;
	}
	location ^~ /app_b/ {
		proxy_next_upstream error timeout invalid_header;
		proxy_send_timeout 5s;
		proxy_read_timeout 5s;
		proxy_pass http://hq-b-server/app_b/;
		proxy_redirect default;
	}
}`

// huozigeFile is an operator's configuration: the profile, addresses, and the position of
// the version on a page.
const huozigeFile = `
clusters:
  - name: app_a
    profile: huozige
    balancer: {url: %[1]s/app_a}
    nodes:
      - {id: server1, url: %[2]s/app_a}
      - {id: server2, url: %[3]s/app_a}
    version: {regex: 'Version (\S+?)<'}
    dependencies: [{name: Redis, url: "%[6]s"}]
  - name: app_b
    profile: huozige
    balancer: {url: %[1]s/app_b}
    nodes:
      - {id: server1, url: %[4]s/app_b}
      - {id: server2, url: %[5]s/app_b}
    version: {regex: 'Version (\S+?)<'}
    dependencies: [{name: Redis, url: "%[6]s"}]
`

func newHuozige(tb testing.TB) *huozige {
	tb.Helper()
	h := &huozige{tb: tb, redis: Redis(tb)}
	for i := range 2 {
		h.a = append(h.a, h.node(i))
		h.b = append(h.b, h.node(i))
	}
	addr := FreeAddr(tb)
	h.nginx = Nginx(tb, NginxConfig{
		Servers:      []Server{{Addr: h.a[0].Addr()}}, // the lab's own server block, which is not used
		ExtraServers: fmt.Sprintf(huozigeServer, addr, h.a[0].Addr(), h.a[1].Addr(), h.b[0].Addr(), h.b[1].Addr()),
	})
	h.url = "http://" + addr
	file := fmt.Sprintf(huozigeFile, h.url, h.a[0].URL(), h.a[1].URL(), h.b[0].URL(), h.b[1].URL(), h.redis.URL())
	var err error
	if h.config, err = config.Parse("stickwatch.yml", []byte(file), func(string) (string, bool) { return "", false }); err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *huozige) node(server int) *demo.Node {
	n, err := demo.StartNode(demo.NodeConfig{ID: fmt.Sprintf("server%d", server+1)})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(n.Close)
	return n
}

// probe takes a round of one application and judges it.
func (h *huozige) probe(app string) checks.Report {
	at := slices.IndexFunc(h.config.Clusters, func(c *probes.Cluster) bool { return c.Name == app })
	p := monitor.Prober{Pingers: map[string]probes.Pinger{"redis": redis.Ping}}
	return checks.Judge(p.Round(h.tb.Context(), h.config.Clusters[at]))
}

var pageVersion = regexp.MustCompile(`Version [^<]*`)

// visit sends n requests of users, forty per second; it returns the version that each
// got, or "".
func (h *huozige) visit(path string, n int) []string {
	h.tb.Helper()
	user := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	tick := time.NewTicker(time.Second / 40)
	defer tick.Stop()
	var shown []string
	for range n {
		resp, err := user.Get(h.url + path)
		if err != nil {
			h.tb.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			h.tb.Fatal(err)
		}
		shown = append(shown, pageVersion.FindString(string(body)))
		<-tick.C
	}
	return shown
}
