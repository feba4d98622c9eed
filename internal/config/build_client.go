package config

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stickwatch/probes"
)

// request adds what every request of a cluster carries: a header and a client certificate.
func (b *builder) request(w wireRequest, c *probes.Cluster, hasSource bool, at keyPath) {
	c.Header = b.headers(w.Headers, c.Balancer.KeyHeader(), at.key("headers"))
	if auth := b.authorization(w, at); auth != "" {
		if c.Header.Get("Authorization") != "" {
			b.problem(at.key("headers"), "has the header Authorization, which basic_auth and bearer_token set")
		}
		if c.Header == nil {
			c.Header = http.Header{}
		}
		c.Header.Set("Authorization", auth)
	}
	b.clientCertificate(w, c, hasSource, at)
}

// ownHeaders are headers that stickwatch or HTTP itself sets, with the key that is meant
// instead.
var ownHeaders = map[string]string{
	"Host":              "the host of an address, or of a node",
	"Cookie":            "no cookies: each client keeps those that it is given",
	"Connection":        "no header of the connection",
	"Content-Length":    "no header of the connection",
	"Transfer-Encoding": "no header of the connection",
	"Upgrade":           "no header of the connection",
	"Accept-Encoding":   "no encodings: stickwatch reads gzip",
}

// headers returns the configured headers; nil for none. keyHeader is the header by which
// clients choose their node.
func (b *builder) headers(w headers, keyHeader string, at keyPath) http.Header {
	var out http.Header
	for _, name := range slices.Sorted(maps.Keys(w)) {
		value, where := w[name].Reveal(), at.key(name)
		b.read = append(b.read, value)
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !headerName.MatchString(name):
			b.problem(where, "expected the name of a header, got %s", quote(name))
		case ownHeaders[canonical] != "":
			b.problem(where, "cannot be set here: expected %s", ownHeaders[canonical])
		case strings.EqualFold(name, keyHeader):
			b.problem(where, "each client sends another value in this header: it is the balancer's client_ip_header or hash_key")
		case out.Get(name) != "":
			b.problem(where, "the header is given twice")
		case !oneHeaderLine(value):
			b.problem(where, "expected one line")
		default:
			if out == nil {
				out = http.Header{}
			}
			out.Set(name, value)
		}
	}
	return out
}

// oneHeaderLine reports whether a text can be the value of a header.
func oneHeaderLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// authorization returns the value of the header Authorization; "" for none.
func (b *builder) authorization(w wireRequest, at keyPath) string {
	token, from := b.valueOrFile(at, "bearer_token", w.BearerToken.Reveal(), w.BearerTokenFile)
	if strings.ContainsAny(token, " \t") || !oneHeaderLine(token) {
		b.problem(from, "expected a token without spaces")
	}
	if w.BasicAuth == nil {
		if token == "" {
			return ""
		}
		return "Bearer " + token
	}
	if token != "" {
		b.problem(from, "expected basic_auth or a bearer token, got both")
	}
	at = at.key("basic_auth")
	password, from := b.valueOrFile(at, "password", w.BasicAuth.Password.Reveal(), w.BasicAuth.PasswordFile)
	if w.BasicAuth.Password.IsZero() && w.BasicAuth.PasswordFile == "" {
		b.problem(from, "expected one of password, password_file")
	}
	if strings.Contains(w.BasicAuth.Username, ":") {
		b.problem(at.key("username"), "expected a user name without a colon, which ends it")
	}
	carrier := http.Request{Header: http.Header{}}
	carrier.SetBasicAuth(w.BasicAuth.Username, password)
	return carrier.Header.Get("Authorization")
}

// clientCertificate adds the certificate that stickwatch presents.
func (b *builder) clientCertificate(w wireRequest, cluster *probes.Cluster, hasSource bool, at keyPath) {
	if w.ClientCertFile == "" && w.ClientKeyFile == "" {
		return
	}
	if w.ClientCertFile == "" || w.ClientKeyFile == "" {
		b.problem(at, "expected both client_cert_file and client_key_file")
		return
	}
	certPEM, ok := b.file(at.key("client_cert_file"), w.ClientCertFile)
	keyPEM, hasKey := b.file(at.key("client_key_file"), w.ClientKeyFile)
	if !ok || !hasKey {
		return
	}
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil { // its text has no part of a key
		b.problem(at.key("client_cert_file"), "expected a certificate and its key in PEM: %s", oneLine(strings.TrimPrefix(err.Error(), "tls: "), maxMessage))
		return
	}
	if !hasSource && !usesTLS(cluster) { // the nodes of a source are not known here
		b.problem(at.key("client_cert_file"), "no address of the cluster begins with https://: the certificate would not be presented")
	}
	if cluster.TLS == nil {
		cluster.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cluster.TLS.Certificates = []tls.Certificate{pair}
}

// usesTLS reports whether the balancer or a node has an https address.
func usesTLS(c *probes.Cluster) bool {
	secure := func(u *url.URL) bool { return u != nil && u.Scheme == "https" }
	return slices.ContainsFunc(c.Balancer.URLs, secure) ||
		slices.ContainsFunc(c.Nodes, func(n probes.Node) bool { return secure(n.URL) })
}
