package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

const requestFile = `clusters:
  - name: shop
    balancer: {url: SCHEME://lb.example, client_ip_header: X-Client}
    nodes: [{id: a, url: "http://127.0.0.1:2"}]
    request: REQUEST
`

// parseRequest parses a file with a request section. Its files are in dir.
func parseRequest(dir, scheme, request string) (*Config, error) {
	text := strings.NewReplacer("SCHEME", scheme, "REQUEST", request).Replace(requestFile)
	return Parse(filepath.Join(dir, "stickwatch.yml"), []byte(text), testenv)
}

func TestRequest(t *testing.T) {
	dir := t.TempDir()
	must.Succeed(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("s3cret of a file\n"), 0o600))
	must.Succeed(t, os.WriteFile(filepath.Join(dir, "token"), []byte("t0ken\n"), 0o600))
	for request, want := range map[string]http.Header{
		"{headers: {X-Monitor: stickwatch, user-agent: probe}}":    {"X-Monitor": {"stickwatch"}, "User-Agent": {"probe"}},
		"{basic_auth: {username: Aladdin, password: open sesame}}": {"Authorization": {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}},
		"{basic_auth: {username: monitor, password_file: secret}}": {"Authorization": {"Basic bW9uaXRvcjpzM2NyZXQgb2YgYSBmaWxl"}},
		"{bearer_token: abc}": {"Authorization": {"Bearer abc"}},
		"{bearer_token_file: token, headers: {X-Monitor: 'stickwatch'}}": {"Authorization": {"Bearer t0ken"}, "X-Monitor": {"stickwatch"}},
	} {
		c, err := parseRequest(dir, "http", request)
		if err != nil {
			t.Errorf("%s: %v", request, err)
			continue
		}
		expect.Equal(t, fmt.Sprintf("%s: header", request), want, c.Clusters[0].Header)
	}
}

// TestRequestProblems checks that each mistake is reported, and no secret with it.
func TestRequestProblems(t *testing.T) {
	for request, want := range map[string]string{
		"{headers: {X Key: hunter22}}":                                      "expected the name of a header",
		"{headers: {Cookie: hunter22}}":                                     "each client keeps those that it is given",
		"{headers: {x-client: hunter22}}":                                   "each client sends another value",
		"{headers: {X-A: hunter22, x-a: hunter22}}":                         "given twice",
		"{headers: {X-A: \"hunter22\\r\\nX-B: c\"}}":                        "expected one line",
		"\n      headers:\n        X-A: \"hunter22\\r\\nX-B: c\"":           "expected one line",
		"\n      headers: hunter22":                                         "expected keys and values",
		"{headers: [hunter22]}":                                             "expected keys and values",
		"{headers: {Authorization: hunter22}, bearer_token: hunter22}":      "which basic_auth and bearer_token set",
		"{bearer_token: hunter22, basic_auth: {username: u, password: p}}":  "expected basic_auth or a bearer token",
		"{bearer_token: hunter22 hunter22}":                                 "without spaces",
		"{basic_auth: {username: u}}":                                       "expected one of password, password_file",
		"{basic_auth: {username: 'u:v', password: hunter22}}":               "without a colon",
		"{basic_auth: {password: hunter22}}":                                "username: is missing",
		"{client_cert_file: hunter22.pem}":                                  "expected both client_cert_file and client_key_file",
		"{basic_auth: {username: u, password: hunter22, password_file: p}}": "expected password or password_file, got both",
	} {
		_, err := parseRequest(t.TempDir(), "https", request)
		problems, ok := err.(Problems)
		if !ok || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s: got %v, want %q", request, err, want)
			continue
		}
		if shown := problems.Excerpt(); strings.Contains(strings.ReplaceAll(shown, "hunter22.pem", ""), "hunter22") {
			t.Errorf("%s: shown in\n%s", request, shown)
		}
	}
}

func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	writeKeyPair(t, dir)
	const pair = "{client_cert_file: cert.pem, client_key_file: key.pem}"
	c, err := parseRequest(dir, "https", pair)
	must.Succeed(t, err)
	expect.Equal(t, "certificates", 1, len(c.Clusters[0].TLS.Certificates))
	for name, tc := range map[string]struct{ scheme, request, want string }{
		"no https":    {"http", pair, "no address of the cluster begins with https://"},
		"mixed up":    {"https", "{client_cert_file: key.pem, client_key_file: cert.pem}", "expected a certificate and its key in PEM"},
		"no such key": {"https", "{client_cert_file: cert.pem, client_key_file: nothing.pem}", "no such file"},
	} {
		if _, err := parseRequest(dir, tc.scheme, tc.request); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

// writeKeyPair writes cert.pem and key.pem.
func writeKeyPair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must.Succeed(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must.Succeed(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must.Succeed(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(fmt.Errorf("writing %s: %w", name, err))
		}
	}
}
