package probes

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"stickwatch/internal/expect"
)

// TestHeader checks that every request of a cluster carries its header, directly and
// through the balancer, and that no observation shows a credential that a page repeats.
func TestHeader(t *testing.T) {
	const password = "open sesame"
	var mu sync.Mutex
	var without []string
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		user, got, _ := r.BasicAuth()
		if user != "Aladdin" || got != password || r.Header.Get("X-Monitor") != "stickwatch" {
			mu.Lock()
			defer mu.Unlock()
			without = append(without, r.URL.Path)
		}
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "0123456789.tomcat1"})
		fmt.Fprintf(w, `{"reason": "for %s", "version": %q}`, got, r.Header.Get("Authorization"))
	})
	s := *tomcatSession
	s.Path, s.Store = "/session", extractorFunc(func(doc Document) string { return string(doc.Body) })
	carrier := http.Request{Header: http.Header{"X-Monitor": {"stickwatch"}}}
	carrier.SetBasicAuth("Aladdin", password)
	c := &Cluster{
		Balancer: Balancer{URLs: []*url.URL{u}}, Nodes: []Node{{ID: "n1", URL: u}}, Header: carrier.Header,
		Session: &s, Status: &Status{Path: "/status"}, Pages: []Page{{Path: "/page"}}, Limits: Limits{Timeout: ample},
	}
	node := Direct(t.Context(), c, c.Nodes[0])
	through := Through(t.Context(), c, Resolve(t.Context(), c)[0])
	canary := openCanary(t, c, 0)
	canary.Write(t.Context())
	failover := canary.CheckFailover(t.Context(), c.Nodes[0], nil)
	expect.Equal(t, "requests without the header", []string(nil), without)
	if node.Status == nil || node.Status.Reason != "for ***" {
		t.Errorf("got status %+v, want the password concealed", node.Status)
	}
	for _, secret := range []string{password, "QWxhZGRpbjpvcGVuIHNlc2FtZQ"} {
		checkHidden(t, secret, node, *node.Status, *node.Session, through, canary.Trace(), failover)
	}
}

// TestHeaderSecrets: credentials and long values are concealed, a short name is not.
func TestHeaderSecrets(t *testing.T) {
	for header, want := range map[[2]string][]string{
		{"X-Monitor", "stickwatch"}:       nil,
		{"X-Monitor", "a1b2c3d4e5f6a7b8"}: {"a1b2c3d4e5f6a7b8"},
		{"X-Api-Key", "short"}:            {"short"},
		{"Authorization", "Bearer t0ken"}: {"Bearer t0ken", "t0ken"},
		{"Authorization", "Basic dTpw"}:   {"Basic dTpw", "dTpw", "p", "u:p"},
	} {
		expect.Equal(t, header, want, headerSecrets(http.Header{header[0]: {header[1]}}))
	}
}

// TestClientCertificate: a server that demands a certificate is reached with it, and the
// failure without it is one of TLS.
func TestClientCertificate(t *testing.T) {
	u, trusted := secureWeb(t, time.Now().Add(time.Hour), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Peers", fmt.Sprint(len(r.TLS.PeerCertificates)))
	}, func(server *tls.Config) { server.ClientAuth = tls.RequireAnyClientCert })
	pair := clientCertificate(t)
	for name, want := range map[string]struct {
		certificates []tls.Certificate
		failure      Failure
		status       int
	}{
		"with it":    {certificates: []tls.Certificate{pair}, status: http.StatusOK},
		"without it": {failure: FailureTLS},
	} {
		config := trusted.Clone()
		config.Certificates = want.certificates
		ex, doc := fetch(t, Target{URL: u, Host: "shop.example", TLS: config, Timeout: ample}, pageRequest{path: "/"})
		if ex.Failure != want.failure || ex.Status != want.status {
			t.Errorf("%s: got status %d, failure %q (%s), want %d, %q", name, ex.Status, ex.Failure, ex.Error, want.status, want.failure)
		}
		if want.status != 0 && doc.Header.Get("X-Peers") != "1" {
			t.Errorf("%s: the server saw no certificate", name)
		}
	}
}

// clientCertificate returns a self-signed certificate.
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, der := selfSigned(t, &x509.Certificate{NotAfter: time.Now().Add(time.Hour)})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
