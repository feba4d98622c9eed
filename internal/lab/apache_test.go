package lab

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

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

func TestApacheTellsItsWorkers(t *testing.T) {
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
