package config

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stickwatch/internal/must"
)

// TestPipe checks that a pipe is read, as in <(command), that one without a writer is
// empty and does not block, and that a device is rejected.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	must.Succeed(t, syscall.Mkfifo(pipe, 0o600))
	var problems Problems
	if _, err := Load(pipe); !errors.As(err, &problems) || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("nobody writes: got error %v, want that it is empty", err)
	}
	if _, err := Load(os.DevNull); !errors.Is(err, errIrregular) {
		t.Errorf("a device: got error %v, want %v", err, errIrregular)
	}
}

// TestCAFile checks that a ca_file is found relative to the configuration, and trusted.
func TestCAFile(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	dir := t.TempDir()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	must.Succeed(t, os.WriteFile(filepath.Join(dir, "ca.pem"), bundle, 0o600))
	text := "clusters: [{name: shop, balancer: {url: " + server.URL + "}, nodes: [{id: node1, url: https://10.0.0.1}], tls: {ca_file: ca.pem}}]"
	c, err := Parse(filepath.Join(dir, "stickwatch.yml"), []byte(text), testenv)
	must.Succeed(t, err)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: c.Clusters[0].TLS}}
	defer client.CloseIdleConnections()
	res, err := client.Get(server.URL)
	must.Succeed(t, err)
	res.Body.Close()
}
