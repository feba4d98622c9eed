package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestHealthcheck: a daemon that answers is healthy, even if it demands credentials. With
// --listen the configuration file is not read.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		tls    *tls.Config // nil: plain HTTP
		well   bool
	}{
		"well":                     {http.StatusOK, nil, true},
		"well, with a password":    {http.StatusUnauthorized, nil, true},
		"well, with TLS":           {http.StatusOK, &tls.Config{}, true},
		"well, with certificates":  {http.StatusOK, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}, true},
		"well, with TLS 1.2 alone": {http.StatusOK, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, true},
		"unwell":                   {http.StatusInternalServerError, nil, false},
		"unwell, with TLS":         {http.StatusInternalServerError, &tls.Config{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) }))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if server.TLS = tt.tls; tt.tls != nil {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			o := serveOptions{healthy: true, listen: server.Listener.Addr().String(), file: filepath.Join(t.TempDir(), "none.yml")}
			if err := o.run(t.Context(), console{}); (err == nil) != tt.well || err != nil && !strings.Contains(err.Error(), "500") {
				t.Errorf("got error %v, want well to be %t", err, tt.well)
			}
		})
	}
}
