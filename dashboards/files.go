package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed grafana/*.json grafana/provisioning prometheus/stickwatch.rules.yml compose zabbix/stickwatch.yaml
var files embed.FS

// Write writes below dir, which it creates, the dashboards (grafana/*.json), their provisioning
// (grafana/provisioning), the rules (prometheus/stickwatch.rules.yml), a template for
// Zabbix (zabbix/stickwatch.yaml), and an example that runs stickwatch, Prometheus and
// Grafana with all of these (compose). It returns the paths in lexical order. It replaces existing files of these names. Other files are kept, such as the user's
// stickwatch.yml in the compose example.
func Write(dir string) ([]string, error) {
	var written []string
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		written = append(written, path)
		return os.WriteFile(path, content, 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("writing dashboards to %q: %w", dir, err)
	}
	return written, nil
}
