package probes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestClusterDial: all requests to a cluster use connections of its Dial, to the
// configured addresses.
func TestClusterDial(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer server.Close()
	var mu sync.Mutex
	dialled := make(map[string]bool)
	node := Node{ID: "node1", URL: &url.URL{Scheme: "http", Host: "192.0.2.1:8001"}}
	front := &url.URL{Scheme: "http", Host: "192.0.2.9:80"}
	c := &Cluster{
		Balancer: Balancer{URLs: []*url.URL{front}}, Nodes: []Node{node}, Status: &Status{Path: "/status"}, Session: &Session{Path: "/"},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			dialled[addr] = true
			mu.Unlock()
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	through := Frontend{URL: front, Address: netip.MustParseAddrPort("192.0.2.9:80")}
	direct := Direct(t.Context(), c, node)
	canary := NewCanary(c, through, "", "", 0)
	for name, ex := range map[string]Exchange{
		"node": direct.Primary, "balancer": Through(t.Context(), c, through).Primary, "canary": canary.Open(t.Context()),
	} {
		if ex.Failure != "" {
			t.Errorf("%s: %s", name, ex.Error)
		}
	}
	expect.Equal(t, "dialled", map[string]bool{"192.0.2.1:8001": true, "192.0.2.9:80": true}, dialled)
}

// TestConnWaits: data that a peer sends at once is read after the first write, and a
// reader ends with the connection.
func TestConnWaits(t *testing.T) {
	for name, release := range map[string]func(net.Conn){
		"until written to": func(c net.Conn) { c.Write([]byte("GET")) },
		"until closed":     func(c net.Conn) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				c := newConn(near)
				defer c.Close()
				read := make(chan int, 1)
				go func() {
					n, _ := c.Read(make([]byte, 9))
					read <- n
				}()
				go io.WriteString(far, "SSH-2.0")
				go io.Copy(io.Discard, far)
				synctest.Wait()
				if len(read) > 0 {
					t.Error("data was read before the first write")
				}
				release(c)
				<-read
			})
		})
	}
}

// selfSigned returns a certificate that its own key signs.
func selfSigned(t *testing.T, template *x509.Certificate) (key *ecdsa.PrivateKey, der []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must.Succeed(t, err)
	template.SerialNumber = big.NewInt(1)
	der, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must.Succeed(t, err)
	return key, der
}

// secureWeb serves HTTPS for shop.example with a certificate that expires at expires,
// and returns a configuration that trusts it. adjust changes that of the server.
func secureWeb(t *testing.T, expires time.Time, handle http.HandlerFunc, adjust ...func(*tls.Config)) (*url.URL, *tls.Config) {
	t.Helper()
	key, der := selfSigned(t, &x509.Certificate{
		NotBefore: expires.Add(-48 * time.Hour), NotAfter: expires,
		DNSNames: []string{"shop.example"}, IsCA: true, BasicConstraintsValid: true,
	})
	leaf, err := x509.ParseCertificate(der)
	must.Succeed(t, err)
	server := httptest.NewUnstartedServer(handle)
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	for _, change := range adjust {
		change(server.TLS)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := &tls.Config{RootCAs: x509.NewCertPool()}
	trusted.RootCAs.AddCert(leaf)
	return must.URL(server.URL), trusted
}

func TestTLS(t *testing.T) {
	greet := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.TLS.ServerName, r.Host) }
	soon := time.Now().Add(24 * time.Hour).Truncate(time.Second).UTC()
	past := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	good, trusted := secureWeb(t, soon, greet)
	old, trustedOld := secureWeb(t, past, greet)
	plain := web(t, func(http.ResponseWriter, *http.Request) {})
	fatal := serve(t, respond("\x15\x03\x03\x00\x02\x02\x28"))
	named := trusted.Clone()
	named.ServerName = "shop.example"

	tests := []struct {
		name    string
		target  Target
		failure Failure
		status  int
		expires time.Time
		body    string // or part of the error
	}{
		{"good", Target{URL: good, Host: "shop.example", TLS: trusted}, "", 200, soon, "shop.example shop.example"},
		{"host with a port", Target{URL: good, Host: "shop.example:8443", TLS: trusted}, "", 200, soon, "shop.example shop.example:8443"},
		{"name from the URL", Target{URL: must.URL("https://shop.example:" + good.Port()), TLS: trusted}, "", 200, soon, "shop.example shop.example:" + good.Port()},
		{"name from the configuration", Target{URL: good, TLS: named}, "", 200, soon, "shop.example " + good.Host},
		{"wrong name", Target{URL: good, Host: "other.example", TLS: trusted}, FailureTLS, 0, soon, "not other.example"},
		{"unknown authority", Target{URL: good, Host: "shop.example"}, FailureTLS, 0, soon, "x509: "},
		{"expired", Target{URL: old, Host: "shop.example", TLS: trustedOld}, FailureTLS, 0, past, "expired"},
		{"not to be verified", Target{URL: old, TLS: &tls.Config{InsecureSkipVerify: true}}, "", 200, past, " " + old.Host},
		{"HTTP on the HTTPS port", Target{URL: must.URL("https://" + plain.Host)}, FailureTLS, 0, time.Time{}, "server gave HTTP response to HTTPS client"},
		{"HTTPS on the HTTP port", Target{URL: must.URL("http://" + good.Host)}, "", 400, time.Time{}, "HTTPS server"},
		{"refuses the handshake", Target{URL: must.URL("https://" + fatal.Host)}, FailureTLS, 0, time.Time{}, "handshake failure"},
		{"closes in the handshake", Target{URL: must.URL("https://" + serve(t, func(net.Conn) {}).Host)}, FailureReset, 0, time.Time{}, "(TLS handshake)"},
		{"too old", Target{URL: good, Host: "shop.example", TLS: &tls.Config{RootCAs: trusted.RootCAs, MaxVersion: tls.VersionTLS10, MinVersion: tls.VersionTLS10}}, FailureTLS, 0, time.Time{}, "protocol version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.target.Timeout = ample
			ex, doc := fetch(t, tt.target, pageRequest{})
			if ex.Failure != tt.failure || ex.Status != tt.status {
				t.Fatalf("got %q, status %d (%s), want %q, %d", ex.Failure, ex.Status, ex.Error, tt.failure, tt.status)
			}
			if !ex.Certificate.Equal(tt.expires) {
				t.Errorf("got a certificate until %v, want %v", ex.Certificate, tt.expires)
			}
			if text := string(doc.Body) + ex.Error; !strings.Contains(text, tt.body) {
				t.Errorf("got %q, want %q in it", text, tt.body)
			}
			if !ex.LocalAddress.IsLoopback() {
				t.Errorf("got local address %s: there was a connection", ex.LocalAddress)
			}
			if ex.Failure == "" && tt.target.URL.Scheme == "https" && ex.Timing.TLS <= 0 {
				t.Errorf("got %+v, want a TLS phase", ex.Timing)
			}
		})
	}
}
