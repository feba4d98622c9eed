package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// ebridgeServer is the nginx.conf of e-Bridge's cluster manual except for the
// addresses: no max_fails, so that one failure ejects for ten seconds; no zone; and no
// way for a prober to act as another client. %[1]s is the listen address, %[2]s are the
// server lines.
const ebridgeServer = `
upstream ebridge-cluster {
    ip_hash;
%[2]s}
server {
    listen        %[1]s;
    server_name  localhost;
    location / {
        root   html;
        index  index.html index.htm;
        proxy_pass http://ebridge-cluster;
        proxy_set_header Host $host:$server_port;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
}`

// An ebridgeNginx is an nginx with the manual's server block.
type ebridgeNginx struct {
	*NginxBalancer
	addr string
}

func (n ebridgeNginx) URL() string { return "http://" + n.addr }

// fromManual starts the manual's nginx in front of the nodes, with an error log of the
// given level.
func fromManual(level string) front {
	return front{
		name: "e-Bridge's nginx", method: probes.MethodIPHash, sticky: true, narrow: true,
		start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
			var servers strings.Builder
			for _, n := range nodes {
				fmt.Fprintf(&servers, "    server %s;\n", n.Addr())
			}
			addr := FreeAddr(tb)
			n := Nginx(tb, NginxConfig{
				Servers:       []Server{{Addr: nodes[0].Addr()}}, // the lab's own server block, which is not used
				ErrorLogLevel: level,
				ExtraServers:  fmt.Sprintf(ebridgeServer, addr, servers.String()),
			})
			// The first address accepts connections a moment before the second.
			if err := poll(tb.Context(), nil, func(ctx context.Context) error { return dial(ctx, addr) }); err != nil {
				tb.Fatal(err)
			}
			return ebridgeNginx{n, addr}
		},
	}
}

// ebridgeFront is the manual's nginx with a client address header.
func ebridgeFront() front {
	return front{
		name: "e-Bridge's nginx, with a header", method: probes.MethodIPHash, header: true, sticky: true,
		start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
			c := NginxConfig{Method: "ip_hash", RealIP: true, Zone: true}
			for _, n := range nodes {
				c.Servers = append(c.Servers, Server{Addr: n.Addr()})
			}
			return Nginx(tb, c)
		},
	}
}

// ourNode returns the node that the balancer's hash assigns to clients of this machine.
func (r *rig) ourNode() string {
	r.tb.Helper()
	picker, _ := checks.Oracle(r.cluster)
	at, ok := picker.Pick("127.0.0.1")
	if !ok {
		r.tb.Fatal("there is no arithmetic")
	}
	return r.cluster.Nodes[at].ID
}

// fail stops a node for one request of a user whom the balancer's hash assigns to it:
// one from another network of 127.0.0.0/8, all of which is loopback.
func (r *rig) fail(id string) {
	r.tb.Helper()
	picker, _ := checks.Oracle(r.cluster)
	for network := range byte(255) {
		user := netip.AddrFrom4([4]byte{127, 0, network, 1})
		if at, _ := picker.Pick(user.String()); r.cluster.Nodes[at].ID != id {
			continue
		}
		r.stop(id)
		r.getFrom(user)
		r.start(id)
		return
	}
	r.tb.Fatalf("no client is sent to %s", id)
}

// getFrom sends a user's request from an address of this machine.
func (r *rig) getFrom(user netip.Addr) {
	r.tb.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(user, 0))}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}}
	resp, err := client.Get(r.front.URL() + "/")
	if err != nil {
		r.tb.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.tb.Fatalf("the user got %s, and not another node's answer", resp.Status)
	}
}
