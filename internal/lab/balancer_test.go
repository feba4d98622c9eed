package lab

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

func TestBalancersPassUpgrades(t *testing.T) {
	t.Parallel()
	tests := map[string]func(testing.TB) *Balancer{
		"nginx": func(tb testing.TB) *Balancer {
			return Nginx(tb, NginxConfig{Servers: nodes(tb, "node1"), WebSocket: true}).Balancer
		},
		"haproxy": func(tb testing.TB) *Balancer {
			return HAProxy(tb, HAProxyConfig{Servers: nodes(tb, "node1")}).Balancer
		},
		"apache": func(tb testing.TB) *Balancer {
			return Apache(tb, ApacheConfig{Servers: nodes(tb, "node1"), WebSocket: true}).Balancer
		},
	}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkUpgrade(t, start(t).URL(), http.StatusSwitchingProtocols)
		})
	}
}

// TestNginxDropsUpgradesByDefault: nginx passes no upgrade by default, which operators
// often forget.
func TestNginxDropsUpgradesByDefault(t *testing.T) {
	t.Parallel()
	n := Nginx(t, NginxConfig{Servers: nodes(t, "node1")})
	checkUpgrade(t, n.URL(), http.StatusOK)
}

// The pair of RFC 6455, section 1.3: HAProxy passes no upgrade without a key, nor an
// answer without the accept value.
const (
	webSocketKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	webSocketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func checkUpgrade(t *testing.T, url string, want int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must.Succeed(t, err)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-WebSocket-Version", "13")
	request.Header.Set("Sec-WebSocket-Key", webSocketKey)
	response, err := http.DefaultClient.Do(request)
	must.Succeed(t, err)
	response.Body.Close()
	if response.StatusCode != want {
		t.Errorf("an upgrade is answered with status %d, want %d", response.StatusCode, want)
	}
}

func TestSecondsRoundUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int{
		-time.Second:            0,
		time.Millisecond:        1,
		time.Second:             1,
		1500 * time.Millisecond: 2,
	} {
		if got := seconds(d); got != want {
			t.Errorf("seconds(%v) = %d, want %d", d, got, want)
		}
	}
}

func TestApacheAcceptsEveryOption(t *testing.T) {
	t.Parallel()
	servers := []Server{
		{Name: "tomcat1", Addr: "127.0.0.1:1", Weight: 3, FailTimeout: 1500 * time.Millisecond},
		{Name: "tomcat2", Addr: "127.0.0.1:2", FailTimeout: -1},
		{Name: "tomcat3", Addr: "127.0.0.1:3", Down: true},
		{Name: "tomcat4", Addr: "127.0.0.1:4", Backup: true},
	}
	tests := map[string]ApacheConfig{
		"sticky":     {Servers: servers, StickySession: "JSESSIONID|jsessionid", NoFailover: true, ConnectTimeout: 250 * time.Millisecond, Timeout: time.Second},
		"busyness":   {Servers: servers, Method: "bybusyness", ProxySet: "failonstatus=503 failontimeout=On"},
		"ajp":        {Servers: servers, Scheme: "ajp", Method: "bytraffic", RouteHeader: true},
		"web socket": {Servers: servers, WebSocket: true},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Apache(t, config)
		})
	}
}

func TestApacheRoutes(t *testing.T) {
	t.Parallel()
	a := Apache(t, ApacheConfig{Servers: nodes(t, "tomcat1", "tomcat2"), StickySession: "JSESSIONID|jsessionid", RouteHeader: true})
	for _, route := range []string{"tomcat1", "tomcat2", "tomcat2", "tomcat1"} {
		response, body := get(t, a.URL(), "Cookie", "JSESSIONID=0123."+route)
		if got := response.Header.Get("X-Route"); body != route || got != route {
			t.Errorf("%q answers with X-Route %q for a cookie of %q", body, got, route)
		}
		if _, body := get(t, a.URL()+"/page;jsessionid=0123."+route); body != route {
			t.Errorf("%q answers for a URL of %q", body, route)
		}
	}
}

func TestApacheStatusListsWorkers(t *testing.T) {
	t.Parallel()
	a := Apache(t, ApacheConfig{Servers: nodes(t, "tomcat1", "tomcat2")})
	response, status := get(t, a.StatusURL())
	if response.StatusCode != http.StatusOK || !strings.Contains(status, "ProxyBalancer[0]Worker[1]Status") {
		t.Errorf("the status page, %d, does not list the second worker:\n%s", response.StatusCode, status)
	}
	response, manager := get(t, a.ManagerURL())
	if response.StatusCode != http.StatusOK || !strings.Contains(manager, "tomcat2") {
		t.Errorf("the balancer manager, %d, does not list the second worker:\n%s", response.StatusCode, manager)
	}
}

func TestApacheNoFailover(t *testing.T) {
	t.Parallel()
	servers := append(nodes(t, "tomcat1"), Server{Name: "tomcat2", Addr: FreeAddr(t)})
	a := Apache(t, ApacheConfig{Servers: servers, StickySession: "JSESSIONID", NoFailover: true})
	for range 2 { // the attempt that detects the failure, and a later one
		if response, _ := get(t, a.URL(), "Cookie", "JSESSIONID=0123.tomcat2"); response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d for a session whose node is dead, want 503", response.StatusCode)
		}
	}
}

// TestCaddyAcceptsEveryOption starts Caddy with every option, stops it and starts it
// again.
func TestCaddyAcceptsEveryOption(t *testing.T) {
	t.Parallel()
	tests := map[string]CaddyConfig{
		"nothing":     {},
		"ip_hash":     {Policy: "ip_hash", FailDuration: 30 * time.Second, MaxFails: 2},
		"cookie":      {Policy: "cookie lb", FailDuration: time.Second, Retries: 1},
		"round robin": {Policy: "round_robin"},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.Servers = nodes(t, "node1")
			c := Caddy(t, config)
			family := descendants(t, c.PID())
			got := []string{askRoot(t, c.Process)}
			c.Stop()
			checkGone(t, "stopped", c.Process, family)
			c.Start()
			got = append(got, askRoot(t, c.Process))
			expect.Equal(t, "answers", []string{"node1", "node1"}, got)
		})
	}
}

func TestCaddyCookie(t *testing.T) {
	t.Parallel()
	c := Caddy(t, CaddyConfig{Servers: nodes(t, "node1", "node2"), Policy: "cookie lb"})
	response, first := get(t, c.URL())
	lb := cookie(response, "lb")
	if lb == "" {
		t.Fatal("the first answer sets no cookie lb")
	}
	for range 4 {
		if _, body := get(t, c.URL(), "Cookie", "lb="+lb); body != first {
			t.Errorf("%q answers the cookie of %q", body, first)
		}
	}
}
