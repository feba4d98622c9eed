package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"stickwatch/internal/config"
	"stickwatch/internal/lab"
)

// A composition has the fields of compose.yml that the tests need.
type composition struct {
	Services map[string]struct {
		Image   string
		Command []string
		Ports   []string
		Volumes []mount
	}
	Volumes map[string]any
}

// A mount is a mount in either of compose's forms: "source:target:ro", or a map.
type mount struct{ Source, Target string }

// UnmarshalYAML implements yaml.Unmarshaler.
func (m *mount) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		m.Source, m.Target, _ = strings.Cut(strings.TrimSuffix(n.Value, ":ro"), ":")
		return nil
	}
	type long mount
	return n.Decode((*long)(m))
}

func readYAML[T any](t *testing.T, path string) T {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := yaml.Unmarshal(content, &value); err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	return value
}

// TestCompose: mounted files exist, and ports are published on loopback only.
func TestCompose(t *testing.T) {
	c := readYAML[composition](t, "compose/compose.yml")
	for _, name := range []string{"stickwatch", "prometheus", "grafana"} {
		if c.Services[name].Image == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name, s := range c.Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s opens %s to other machines", name, port)
			}
		}
		for _, m := range s.Volumes {
			if _, named := c.Volumes[m.Source]; named {
				continue
			}
			source := strings.Replace(m.Source, "./stickwatch.yml", "./stickwatch.example.yml", 1) // the copy that the user makes
			if _, err := os.Stat(filepath.Join("compose", source)); err != nil {
				t.Errorf("%s mounts %s: %v", name, m.Source, err)
			}
		}
	}
}

// TestComposePrometheus: Prometheus accepts the files at the paths where compose.yml mounts
// them.
func TestComposePrometheus(t *testing.T) {
	const home = "/etc/prometheus/"
	dir := filepath.Join(t.TempDir(), "prometheus")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := readYAML[composition](t, "compose/compose.yml").Services["prometheus"]
	for _, m := range s.Volumes {
		name, ok := strings.CutPrefix(m.Target, home)
		if !ok {
			continue
		}
		content, err := os.ReadFile(filepath.Join("compose", m.Source))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lab.Promtool(t, "check", "config", filepath.Join(dir, "prometheus.yml"))
}

// TestExportedPrometheus: Prometheus accepts the files where `stickwatch dashboards` writes
// them, too.
func TestExportedPrometheus(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(dir); err != nil {
		t.Fatal(err)
	}
	lab.Promtool(t, "check", "config", filepath.Join(dir, "compose", "prometheus.yml"))
}

// TestComposeGrafana: data sources and dashboards are at the provisioned paths.
func TestComposeGrafana(t *testing.T) {
	type provisioning struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct{ Name, Type, URL string }
		Providers   []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	var targets []string
	for _, m := range readYAML[composition](t, "compose/compose.yml").Services["grafana"].Volumes {
		targets = append(targets, m.Target)
	}
	for _, path := range []string{"compose/datasource.yml", "grafana/provisioning/datasources/stickwatch.yml"} {
		p := readYAML[provisioning](t, path)
		if p.APIVersion != 1 || len(p.Datasources) != 1 || p.Datasources[0].Type != source.Type || p.Datasources[0].URL == "" {
			t.Errorf("%s has %+v, want one data source of the type %s", path, p, source.Type)
		}
	}
	p := readYAML[provisioning](t, "grafana/provisioning/dashboards/stickwatch.yml")
	if p.APIVersion != 1 || len(p.Providers) != 1 || p.Providers[0].Type != "file" {
		t.Fatalf("got %+v, want one folder of files", p)
	}
	for name := range read(t) {
		path := p.Providers[0].Options.Path + "/" + name
		if !strings.Contains(strings.Join(targets, "\n")+"\n", path+"\n") {
			t.Errorf("%s is not mounted where Grafana looks: %q", path, targets)
		}
	}
}

// TestComposeStickwatch: the example is a valid configuration, and serve listens on the
// address that Prometheus scrapes.
func TestComposeStickwatch(t *testing.T) {
	c, err := config.Load("compose/stickwatch.example.yml")
	if err != nil {
		t.Fatal(err)
	}
	if want := "0.0.0.0:9748"; c.Listen != want {
		t.Errorf("it listens on %s, want %s", c.Listen, want)
	}
}
