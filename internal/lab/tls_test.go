package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestTLS: nginx with a certificate that expires in three days. With its authority
// trusted, that is the only finding; without, the balancer is down, with the reason.
func TestTLS(t *testing.T) {
	f := front{name: "nginx TLS", method: probes.MethodIPHash, start: startNginxTLS}
	r := newRig(t, f, plan{})
	r.cluster.TLS = &tls.Config{RootCAs: r.front.(*tlsFrontend).authority}
	judgeScenario(t, scenario{want: []string{"certificate_expiring"}}, r.probe())

	r.cluster.TLS = nil
	report := r.probe()
	judgeScenario(t, scenario{want: []string{"balancer_down", "certificate_expiring"}}, report)
	if got := report.Balancers[0].Primary.Failure; got != probes.FailureTLS {
		t.Errorf("without the authority: got failure %q, want %q", got, probes.FailureTLS)
	}
}

// A tlsFrontend is an nginx whose second server uses TLS.
type tlsFrontend struct {
	*NginxBalancer
	addr      string
	authority *x509.CertPool
}

// URL returns the address of that server.
func (t *tlsFrontend) URL() string { return (&url.URL{Scheme: "https", Host: t.addr}).String() }

func startNginxTLS(tb testing.TB, nodes []*demo.Node, p plan) frontend {
	addr := FreeAddr(tb)
	cert, key, pool := certificate(tb, 3*24*time.Hour)
	return &tlsFrontend{addr: addr, authority: pool, NginxBalancer: Nginx(tb, NginxConfig{
		Method: "ip_hash", Servers: servers(tb, nodes, p),
		ExtraServers: fmt.Sprintf(`server {
	listen %s ssl;
	ssl_certificate %s;
	ssl_certificate_key %s;
	location / {
		proxy_pass http://cluster;
		proxy_set_header Host $host:$server_port;
	}
}`, addr, cert, key),
	})}
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(tb testing.TB, valid time.Duration) (certFile, keyFile string, pool *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must.Succeed(tb, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must.Succeed(tb, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must.Succeed(tb, err)
	cert, err := x509.ParseCertificate(der)
	must.Succeed(tb, err)
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	dir := tb.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		must.Succeed(tb, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private), pool
}
