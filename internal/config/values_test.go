package config

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/wire"
)

func TestSecretIsRedacted(t *testing.T) {
	type holder struct{ Token Secret }
	h := holder{NewSecret("hunter2")}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		shown = append(shown, fmt.Sprintf(verb, h), fmt.Sprintf(verb, h.Token), fmt.Sprintf(verb, &h))
	}
	asJSON, err := json.Marshal(h)
	must.Succeed(t, err)
	asYAML, err := yaml.Dump(h)
	must.Succeed(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "holder", h, "token", h.Token)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "holder", h, "token", h.Token)
	for _, text := range append(shown, string(asJSON), string(asYAML), log.String()) {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74") {
			t.Errorf("the secret is in %s", text)
		}
	}
	expect.Equal(t, "JSON", `{"Token":"***"}`, string(asJSON))
	if got := h.Token.Reveal(); got != "hunter2" {
		t.Errorf("Reveal() = %q", got)
	}
}

func TestNoSecret(t *testing.T) {
	var s Secret
	if !s.IsZero() || s.String() != "" || s.Reveal() != "" {
		t.Errorf("got %q, want the zero Secret to be empty", s)
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 90 * time.Minute: "1h30m", time.Hour: "1h", 10 * time.Minute: "10m",
		400 * day: "400d", 36 * time.Hour: "1d12h", 1500 * time.Millisecond: "1.5s", day + time.Second: "1d1s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Min(0).Draw(t, "d"))
		if got, err := wire.ParseDuration(FormatDuration(want)); err != nil || got != want {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0B": 0, "1000": 1000, "1B": 1, "16KB": 16e3, "500MB": 500e6, "4GB": 4e9, "1.5GB": 15e8, "2TB": 2e12,
		"64KiB": 64 << 10, "512MiB": 512 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GB", "B", ".", "-1GB", "+1GB", "1e9", "4 GB", "4gb", "4G", "4PB", "1..5GB", "0x10", "inf", "99999999TB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1: "1B", 1500: "1500B", 4e9: "4GB", 15e8: "1500MB", 2 << 30: "2GiB", 3 << 20: "3MiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("FormatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestSizeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(0, 1<<53).Draw(t, "n")
		if got, err := parseSize(formatSize(want)); err != nil || got != want {
			t.Fatalf("got %d, %v, want %d", got, err, want)
		}
	})
}

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
