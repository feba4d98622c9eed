package chattest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"
)

// StartProxy starts an HTTP proxy on loopback that impersonates every host over TLS, for a
// program whose transport cannot be replaced. It writes the certificate of its authority to
// a file, and returns the address for HTTPS_PROXY and a function that stops the proxy.
func (s *Server) StartProxy(authorityFile string) (address string, stop func(), err error) {
	authority, err := newAuthority()
	if err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(authorityFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Leaf.Raw}), 0o644); err != nil {
		return "", nil, err
	}
	tunnels := make(tunnel)
	inner := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() {
		defer close(served)
		inner.Serve(tls.NewListener(tunnels, &tls.Config{GetCertificate: authority.issue}))
	}()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "want CONNECT", http.StatusMethodNotAllowed)
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		tunnels <- conn
	}))
	return proxy.URL, func() { proxy.Close(); inner.Close(); <-served }, nil
}

// A tunnel is a listener that accepts the connections of CONNECT requests.
type tunnel chan net.Conn

// Accept implements net.Listener.
func (t tunnel) Accept() (net.Conn, error) {
	conn, ok := <-t
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (t tunnel) Close() error { close(t); return nil }

// Addr implements net.Listener.
func (t tunnel) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// An authority issues certificates for any host.
type authority struct{ tls.Certificate }

func newAuthority() (authority, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "chattest"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c, err := certificate(template, nil)
	return authority{c}, err
}

func (a authority) issue(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "" {
		return nil, errors.New("the client names no host")
	}
	c, err := certificate(&x509.Certificate{DNSNames: []string{hello.ServerName}}, &a)
	return &c, err
}

// certificate signs a template with an authority; nil: it is self-signed.
func certificate(template *x509.Certificate, by *authority) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(raw)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}, err
}
