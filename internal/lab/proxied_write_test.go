package lab

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/alerting"
	"stickwatch/internal/config"
	"stickwatch/internal/daemon"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/notify"
)

// TestProxiesGrantNoWrite: nginx and HAProxy with a minimal configuration add no
// forwarding header. Clients behind them must not be able to change anything, whatever
// Host they send.
func TestProxiesGrantNoWrite(t *testing.T) {
	t.Parallel()
	address := idleDaemon(t)
	for name, proxy := range map[string]interface{ Addr() string }{
		"nginx":   Nginx(t, NginxConfig{Servers: []Server{{Addr: address}}, Location: "location / { proxy_pass http://" + address + "; }"}),
		"haproxy": plainHAProxy(t, address),
	} {
		for _, host := range []string{proxy.Addr(), "localhost", "[::1]"} {
			for path, body := range map[string]string{
				"/api/v1/silences":    `{"all": true, "duration": "90d"}`,
				"/api/v1/deployments": `{"cluster": "shop", "name": "4.2"}`,
				"/-/reload":           "",
			} {
				if status := post(t, "http://"+proxy.Addr()+path, host, body); status != http.StatusForbidden {
					t.Errorf("%s, POST %s for host %s: got %d, want 403", name, path, host, status)
				}
			}
		}
	}
}

// plainHAProxy forwards requests to an address with a minimal configuration.
func plainHAProxy(t *testing.T, to string) *Process {
	t.Helper()
	at, file := FreeAddr(t), filepath.Join(t.TempDir(), "haproxy.cfg")
	text := "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n" +
		"frontend users\n bind " + at + "\n default_backend stickwatch\n" +
		"backend stickwatch\n server stickwatch " + to + "\n"
	must.Succeed(t, os.WriteFile(file, []byte(text), 0o600))
	return Run(t, Command{Name: "haproxy", Path: program(t, "haproxy"), Args: []string{"-db", "-f", file}, Addr: at})
}

// idleDaemon runs a daemon without users that watches a cluster that does not answer,
// and returns its address.
func idleDaemon(t *testing.T) string {
	t.Helper()
	text := fmt.Sprintf(`
listen: 127.0.0.1:0
history: {url: "sqlite:%s"}
clusters: [{name: shop, balancer: {url: "http://%s"}, nodes: [{id: a, url: "http://%[2]s"}]}]
`, filepath.Join(t.TempDir(), "history.db"), FreeAddr(t))
	d, err := daemon.Start(t.Context(), daemon.Config{
		Load: func() (*config.Config, error) {
			return config.Parse("stickwatch.yml", []byte(text), func(string) (string, bool) { return "", false })
		},
		Prober: &monitor.Prober{}, Logger: slog.New(slog.DiscardHandler),
		Notifier: func(config.Receiver, config.Alerting) (alerting.Notifier, error) {
			return notify.RemovedReceiver{}, nil
		},
	})
	must.Succeed(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d.Address().String()
}

// post returns the status of a POST with a Host header.
func post(t *testing.T, url, host, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	must.Succeed(t, err)
	req.Host = host
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	must.Succeed(t, err)
	defer res.Body.Close()
	return res.StatusCode
}
