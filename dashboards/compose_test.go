package dashboards

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"stickwatch/internal/config"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

// A composition has the fields of compose.yml that the tests need.
type composition struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
		Ports       []string
		Volumes     []mount
		DependsOn   dependencies `yaml:"depends_on"`
		Healthcheck struct{ Test []string }
	}
	Volumes map[string]any
}

// dependencies are the services that a service waits for, by name, in either of compose's forms: a list, or
// a map with conditions.
type dependencies map[string]string

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *dependencies) UnmarshalYAML(n *yaml.Node) error {
	*d = make(dependencies)
	var names []string
	if n.Decode(&names) == nil {
		for _, name := range names {
			(*d)[name] = "service_started"
		}
		return nil
	}
	var long map[string]struct{ Condition string }
	err := n.Decode(&long)
	for name, on := range long {
		(*d)[name] = on.Condition
	}
	return err
}

// serviceKeys are the keys of a service, of those that the Compose Specification has, that the files use.
var serviceKeys = []string{
	"image", "command", "restart", "depends_on", "read_only", "tmpfs", "cap_drop", "security_opt", "extra_hosts", "volumes", "environment",
	"ports", "healthcheck",
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
	must.Succeed(t, err)
	var value T
	if err := yaml.Unmarshal(content, &value); err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	return value
}

// TestCompose: mounted files exist, and ports are published on loopback only.
func TestCompose(t *testing.T) {
	checkComposition(t, "compose/compose.yml", "stickwatch", "prometheus", "grafana")
	checkComposition(t, "compose/fleet.yml", "postgres", "mon1", "mon2", "mon3", "prometheus", "grafana")
}

// examples are the files that a user copies, by the names of the copies.
var examples = strings.NewReplacer("./stickwatch.yml", "./stickwatch.example.yml", "./fleet.stickwatch.yml", "./fleet.example.yml")

func checkComposition(t *testing.T, path string, services ...string) {
	t.Helper()
	c := readYAML[composition](t, path)
	for name, service := range readYAML[struct{ Services map[string]map[string]any }](t, path).Services {
		for key := range service {
			if !slices.Contains(serviceKeys, key) {
				t.Errorf("%s of %s has the key %q", name, path, key)
			}
		}
	}
	for _, name := range services {
		if c.Services[name].Image == "" {
			t.Errorf("there is no %s in %s", name, path)
		}
	}
	published := make(map[string]string)
	for name, s := range c.Services {
		for on, condition := range s.DependsOn {
			if c.Services[on].Image == "" || condition == "service_healthy" && len(c.Services[on].Healthcheck.Test) < 2 {
				t.Errorf("%s waits for %s (%s), which is missing or has no health check", name, on, condition)
			}
		}
		for _, port := range s.Ports {
			host := port[:strings.LastIndexByte(port, ':')]
			if other := published[host]; other != "" {
				t.Errorf("%s and %s publish %s", name, other, host)
			}
			published[host] = name
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s opens %s to other machines", name, port)
			}
		}
		for _, m := range s.Volumes {
			if _, named := c.Volumes[m.Source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join("compose", examples.Replace(m.Source))); err != nil {
				t.Errorf("%s mounts %s: %v", name, m.Source, err)
			}
		}
	}
}

// TestComposePrometheus: Prometheus accepts the files at the paths where compose.yml and fleet.yml
// mount them.
func TestComposePrometheus(t *testing.T) {
	for _, composed := range []string{"compose/compose.yml", "compose/fleet.yml"} {
		t.Run(composed, func(t *testing.T) { checkPrometheus(t, composed) })
	}
}

func checkPrometheus(t *testing.T, composed string) {
	t.Helper()
	const home = "/etc/prometheus/"
	dir := filepath.Join(t.TempDir(), "prometheus")
	must.Succeed(t, os.Mkdir(dir, 0o755))
	s := readYAML[composition](t, composed).Services["prometheus"]
	for _, m := range s.Volumes {
		name, ok := strings.CutPrefix(m.Target, home)
		if !ok {
			continue
		}
		content, err := os.ReadFile(filepath.Join("compose", m.Source))
		must.Succeed(t, err)
		must.Succeed(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
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
	targets := targetsOf(readYAML[composition](t, "compose/compose.yml").Services["grafana"].Volumes)
	if fleet := readYAML[composition](t, "compose/fleet.yml").Services["grafana"]; !slices.Equal(targetsOf(fleet.Volumes), targets) {
		t.Errorf("fleet.yml mounts %q, and compose.yml %q", targetsOf(fleet.Volumes), targets)
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

// TestComposeStickwatch: the examples are valid configurations, and serve listens on the address that
// Prometheus scrapes.
func TestComposeStickwatch(t *testing.T) {
	t.Setenv("POSTGRES_PASSWORD", "secret")
	t.Setenv("INSTANCE", "mon1")
	t.Setenv("SITE", "beijing")
	for _, path := range []string{"compose/stickwatch.example.yml", "compose/fleet.example.yml"} {
		c, err := config.Load(path)
		must.Succeed(t, err)
		if want := "0.0.0.0:9748"; c.Listen != want {
			t.Errorf("%s: it listens on %s, want %s", path, c.Listen, want)
		}
	}
}

func targetsOf(mounts []mount) (paths []string) {
	for _, m := range mounts {
		paths = append(paths, m.Target)
	}
	return paths
}

// TestComposeFleet: each monitor has what its configuration needs of its environment, a name of its own and
// one of the sites of the cluster; its port is the one that is published and scraped; and the database is
// the service of its history, with that user.
func TestComposeFleet(t *testing.T) {
	composed := readYAML[composition](t, "compose/fleet.yml")
	scraped := readYAML[struct {
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}](t, "compose/fleet.prometheus.yml").ScrapeConfigs[0].StaticConfigs[0].Targets
	text, err := os.ReadFile("compose/fleet.example.yml")
	must.Succeed(t, err)
	seen := make(map[string]bool)
	for name, s := range composed.Services {
		if _, is := s.Environment["INSTANCE"]; !is {
			continue
		}
		cfg, err := config.Parse("fleet.example.yml", text, func(variable string) (string, bool) {
			value, is := s.Environment[variable]
			if strings.HasPrefix(value, "${") {
				value = "secret"
			}
			return value, is
		})
		must.Succeed(t, err)
		port := cfg.Listen[strings.LastIndexByte(cfg.Listen, ':'):]
		if len(s.Ports) != 1 || !strings.HasSuffix(s.Ports[0], port) || !slices.Contains(scraped, name+port) {
			t.Errorf("%s listens on %s, but %q are published and %q scraped", name, cfg.Listen, s.Ports, scraped)
		}
		if seen[cfg.Fleet.Instance] || !slices.Contains(cfg.Clusters[0].Sites, cfg.Fleet.Site) {
			t.Errorf("%s is the instance %q at %q", name, cfg.Fleet.Instance, cfg.Fleet.Site)
		}
		seen[cfg.Fleet.Instance] = true
		database, err := url.Parse(cfg.History.Location())
		if err != nil || composed.Services[database.Hostname()].Environment["POSTGRES_USER"] != database.User.Username() {
			t.Errorf("%s: the history %q has no database in fleet.yml", name, cfg.History.Location())
		}
	}
	if len(seen) != len(scraped) || len(seen) != 3 {
		t.Errorf("got the instances %v, of which %q are scraped", seen, scraped)
	}
}
