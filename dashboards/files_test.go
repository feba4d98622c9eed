package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

var want = []string{
	"compose/compose.yml",
	"compose/datasource.yml",
	"compose/fleet.example.yml",
	"compose/fleet.prometheus.yml",
	"compose/fleet.yml",
	"compose/prometheus.yml",
	"compose/stickwatch.example.yml",
	"grafana/provisioning/dashboards/stickwatch.yml",
	"grafana/provisioning/datasources/stickwatch.yml",
	"grafana/stickwatch-cluster.json",
	"grafana/stickwatch-overview.json",
	"prometheus/stickwatch.rules.yml",
	"zabbix/stickwatch.yaml",
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	for range 2 { // the second call replaces the files of the first
		written, err := Write(dir)
		must.Succeed(t, err)
		var got []string
		for _, path := range written {
			got = append(got, filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))))
		}
		expect.Equal(t, "files", want, got)
	}
	for _, name := range want {
		source, err := files.ReadFile(name)
		must.Succeed(t, err)
		copied, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		must.Succeed(t, err)
		if string(copied) != string(source) || len(source) == 0 {
			t.Errorf("%s: got %d bytes, want the %d embedded", name, len(copied), len(source))
		}
	}
}

// TestWriteKeepsOthers: other files in the folder are kept.
func TestWriteKeepsOthers(t *testing.T) {
	dir := t.TempDir()
	theirs := filepath.Join(dir, "compose", "stickwatch.yml")
	must.Succeed(t, os.Mkdir(filepath.Dir(theirs), 0o755))
	must.Succeed(t, os.WriteFile(theirs, []byte("clusters: []"), 0o600))
	if _, err := Write(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(theirs); err != nil || string(got) != "clusters: []" {
		t.Errorf("got %q and error %v, want it untouched", got, err)
	}
}

func TestWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must.Succeed(t, os.WriteFile(file, nil, 0o600))
	if _, err := Write(file); err == nil || !strings.HasPrefix(err.Error(), `writing dashboards to "`+file) {
		t.Errorf("got error %v, want one that names the folder", err)
	}
}
