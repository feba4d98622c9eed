package lab

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"stickwatch/probes"
)

// TestNodeProtocols asks real servers directly whose ports expect the PROXY protocol or HTTP/2
// without TLS, as behind a balancer with send-proxy, send-proxy-v2 or proto h2. Without their
// protocol they do not answer.
func TestNodeProtocols(t *testing.T) {
	status := &probes.Status{Path: "/"}
	const page = "\n    http-request return status 200 content-type text/plain string ok\n"
	haproxyProxy, haproxyH2C, nginxProxy, nginxH2C := FreeAddr(t), FreeAddr(t), FreeAddr(t), FreeAddr(t)
	h := HAProxy(t, HAProxyConfig{Servers: []Server{{Name: "a", Addr: FreeAddr(t)}}, ExtraBackend: fmt.Sprintf(
		"\nfrontend proxied\n    mode http\n    bind %s accept-proxy%s\nfrontend h2c\n    mode http\n    bind %s proto h2%s", haproxyProxy, page, haproxyH2C, page)})
	n := Nginx(t, NginxConfig{Servers: []Server{{Addr: FreeAddr(t)}}, ExtraServers: fmt.Sprintf(
		"server { listen %s proxy_protocol; location / { return 200 $proxy_protocol_addr; } }\nserver { listen %s http2; location / { return 200 ok; } }", nginxProxy, nginxH2C)})
	_, _ = h, n
	for _, tt := range []struct {
		server, addr string
		protocols    []probes.NodeProtocol
	}{
		{"HAProxy with accept-proxy", haproxyProxy, []probes.NodeProtocol{probes.ProtocolProxyV1, probes.ProtocolProxyV2}},
		{"nginx with proxy_protocol", nginxProxy, []probes.NodeProtocol{probes.ProtocolProxyV1, probes.ProtocolProxyV2}},
		{"HAProxy with proto h2", haproxyH2C, []probes.NodeProtocol{probes.ProtocolH2C}},
		{"nginx with http2", nginxH2C, []probes.NodeProtocol{probes.ProtocolH2C}},
	} {
		ask := func(protocol probes.NodeProtocol) probes.Exchange {
			c := &probes.Cluster{Limits: probes.Limits{Timeout: 5 * time.Second}, Status: status}
			return probes.Direct(t.Context(), c, probes.Node{ID: "a", URL: &url.URL{Scheme: "http", Host: tt.addr}, Protocol: protocol}).Primary
		}
		for _, protocol := range tt.protocols {
			if got := ask(protocol); !got.OK() {
				t.Errorf("%s, asked by %s: got %d %s, want an answer", tt.server, protocol, got.Status, got.Error)
			}
		}
		if got := ask(""); got.OK() {
			t.Errorf("%s answered plain HTTP/1.1: the test shows nothing", tt.server)
		}
	}
}
