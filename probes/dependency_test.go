package probes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestDependencyAsk(t *testing.T) {
	status := func(code int) *url.URL {
		return web(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	fails := func(err error) Pinger { return func(context.Context, *url.URL) error { return err } }
	hanging := serve(t, hang(""))
	any := &url.URL{Scheme: "redis", Host: "redis:6379"}
	tests := []struct {
		name  string
		ping  Pinger
		url   *url.URL
		error string // "": up
	}{
		{"tcp", PingTCP, hanging, ""},
		{"tcp refused", PingTCP, closed(t), "connection refused"},
		{"tcp without a port", PingTCP, &url.URL{Scheme: "tcp", Host: "127.0.0.1"}, "missing port"},
		{"http", PingHTTP, status(200), ""},
		{"http not found", PingHTTP, status(404), ""},
		{"http redirect", PingHTTP, status(302), ""},
		{"http broken", PingHTTP, status(503), "got HTTP status 503, want one below 500"},
		{"http hangs", PingHTTP, hanging, "no answer within 150ms (asking " + hanging.Host + ")"},
		{"http garbage", PingHTTP, serve(t, respond("-ERR \x1b[31m\r\n")), "malformed HTTP status code"},
		{"http switches protocols", PingHTTP, serve(t, hang("HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")), ""},
		{"hostile text", fails(errors.New("a\x1b[31m\nb\u202e" + strings.Repeat("x", 999))), any, "a[31m b"},
		{"the URL is a secret", fails(&url.Error{Op: "Get", URL: "http://u:password@redis", Err: errors.New("odd")}), any, "odd"},
		{"joined", fails(errors.Join(errors.New("one"), errors.New("two"))), any, "one two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obs := Dependency{Name: "Redis Server", URL: tt.url}.Ask(t.Context(), tt.ping, short)
			checkPresentable(t, Exchange{Status: 200, Failure: Failure(obs.Error), Error: obs.Error})
			if obs.Up != (tt.error == "") || !strings.Contains(obs.Error, tt.error) || strings.Contains(obs.Error, "password") || obs.Name != "Redis Server" {
				t.Errorf("got %+v, want error %q", obs, tt.error)
			}
		})
	}
}

func TestDependencyInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ping := func(ctx context.Context, _ *url.URL) error {
		cancel()
		return fmt.Errorf("asking: %w", ctx.Err())
	}
	obs := Dependency{URL: closed(t)}.Ask(ctx, ping, ample)
	if obs.Up || obs.Error != "stickwatch was interrupted" {
		t.Errorf("got %+v", obs)
	}
}
