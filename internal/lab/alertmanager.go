package lab

import (
	"path/filepath"
	"testing"
)

// AlertmanagerConfig describes an Alertmanager.
type AlertmanagerConfig struct {
	// Webhook is the URL that receives every firing and resolved alert, each in its own
	// request.
	Webhook string
}

// AlertmanagerServer is a running Prometheus Alertmanager without peers.
type AlertmanagerServer struct {
	*Process
}

// Alertmanager starts Alertmanager in the foreground.
func Alertmanager(tb testing.TB, config AlertmanagerConfig) *AlertmanagerServer {
	tb.Helper()
	path, dir, listen := program(tb, "prometheus-alertmanager"), directory(tb), FreeAddr(tb)
	file := filepath.Join(logDir(dir), "alertmanager.yml")
	if err := writeConfig(file, "alertmanager.yml.tmpl", config); err != nil {
		tb.Fatalf("configuring Alertmanager: %v", err)
	}
	process := Run(tb, Command{
		Name: "alertmanager",
		Path: path,
		Args: []string{
			"--config.file=" + file, "--storage.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + listen, "--cluster.listen-address=", // no gossip
		},
		Dir:  dir,
		Addr: listen,
	})
	return &AlertmanagerServer{process}
}

// URL returns the server's root, without a trailing slash.
func (a *AlertmanagerServer) URL() string { return "http://" + a.Addr() }
