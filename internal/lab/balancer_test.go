package lab

import (
	"net/http"
	"testing"
	"time"
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
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-WebSocket-Version", "13")
	request.Header.Set("Sec-WebSocket-Key", webSocketKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
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
