package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "stickwatch"

// A pkg is what `go list` tells of a package; tests are not held to the rules.
type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// graph returns the packages of the module by their path within it.
func graph(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Standard", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	packages := make(map[string]pkg)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("decoding the list of packages: %v", err)
		}
		packages[within(p.ImportPath)] = p
	}
	if len(packages) < 10 {
		t.Fatalf("got %d packages, want the whole module", len(packages))
	}
	return packages
}

func within(path string) string { return strings.TrimPrefix(path, module+"/") }

// ours reports whether path is of this module.
func ours(path string) bool { return strings.HasPrefix(path, module+"/") }

// standard reports whether path is of the standard library: its first element
// has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !ours(path) && !strings.Contains(first, ".")
}

// everywhere reports whether path is the package in which goroutines start, which
// all may import: it knows the standard library only.
func everywhere(path string) bool { return within(path) == "internal/panics" }

// TestCoreImports: probes <- checks <- alerting, on the standard library alone;
// drivers live in folders below probes.
func TestCoreImports(t *testing.T) {
	allowed := map[string][]string{
		"probes":          {},
		"probes/balance":  {},
		"checks/evidence": {"probes"},
		"checks":          {"probes", "probes/balance", "checks/evidence"},
		"alerting":        {"probes", "probes/balance", "checks"},
		"dashboards":      {},
		"internal/panics": {},
	}
	packages := graph(t)
	for name, others := range allowed {
		for _, path := range packages[name].Imports {
			if !standard(path) && !slices.Contains(others, within(path)) && !everywhere(path) {
				t.Errorf("%s imports %s: core packages import the standard library and %q", name, path, others)
			}
		}
	}
	for name, p := range packages {
		if !strings.HasPrefix(name, "probes/") {
			continue
		}
		for _, path := range p.Imports {
			if ours(path) && !strings.HasPrefix(within(path), "probes") && !everywhere(path) {
				t.Errorf("%s imports %s: drivers import probes and nothing else of ours", name, path)
			}
		}
	}
}

// TestAdaptersDoNotKnowEachOther: history, metrics, render and web import core
// packages and the JSON that they share, never each other. A report may contain a
// watch of a deployment, so render knows gate.
func TestAdaptersDoNotKnowEachOther(t *testing.T) {
	packages := graph(t)
	for name, others := range map[string][]string{
		"internal/history": {"internal/wire"},
		"internal/metrics": {"internal/wire"},
		"internal/render":  {"internal/wire", "internal/gate"},
		"internal/web":     {"internal/wire"},
		"internal/wire":    {},
	} {
		if _, there := packages[name]; !there {
			t.Errorf("there is no package %s", name)
		}
		for _, path := range packages[name].Imports {
			if ours(path) && strings.HasPrefix(within(path), "internal/") && !slices.Contains(others, within(path)) && !everywhere(path) {
				t.Errorf("%s imports %s: it may import core packages and %q", name, path, others)
			}
		}
	}
}

// TestNotifyImports: delivery knows alerting's types and the history, so that receivers
// and metrics can change without it, and only the daemon runs it.
func TestNotifyImports(t *testing.T) {
	packages := graph(t)
	for _, path := range packages["internal/notify"].Imports {
		if ours(path) && !slices.Contains([]string{"alerting", "internal/history"}, within(path)) && !everywhere(path) {
			t.Errorf("internal/notify imports %s: it may import alerting and internal/history only", path)
		}
	}
	for name, p := range packages {
		if slices.Contains(p.Imports, module+"/internal/notify") && name != "internal/daemon" {
			t.Errorf("%s imports internal/notify: only the daemon delivers", name)
		}
	}
}

// TestNobodyImports: commands are imported by nobody, the demo by its command
// and the benchmark, the lab by tests alone, and the monitor knows no adapter.
func TestNobodyImports(t *testing.T) {
	for name, p := range graph(t) {
		for _, path := range p.Imports {
			switch to := within(path); {
			case !ours(path):
			case strings.HasPrefix(to, "cmd/"):
				t.Errorf("%s imports %s: commands are imported by nobody", name, path)
			case to == "internal/demo" && !slices.Contains([]string{"cmd/stickwatch", "internal/lab", "internal/bench", "internal/sim"}, name):
				t.Errorf("%s imports %s: the demo is for its command and for tests", name, path)
			case to == "internal/lab":
				t.Errorf("%s imports %s: the lab is for tests", name, path)
			case name == "internal/monitor" && strings.HasPrefix(to, "internal/") && !everywhere(path):
				t.Errorf("%s imports %s: the monitor declares the interfaces it needs", name, path)
			}
		}
	}
}

// homes are the packages that may import each third-party module. A module has
// one home, so that replacing it is a change in one place.
var homes = map[string][]string{
	"charm.land/lipgloss/v2":                 {"internal/render"},
	"github.com/charmbracelet/colorprofile":  {"cmd/stickwatch"},
	"github.com/charmbracelet/x/ansi":        {"internal/render"},
	"github.com/jstemmer/go-junit-report":    {"internal/render"},
	"github.com/spf13/cobra":                 {"cmd/stickwatch"},
	"golang.org/x/term":                      {"cmd/stickwatch"},
	"go.yaml.in/yaml/v4":                     {"internal/config"},
	"github.com/invopop/jsonschema":          {"internal/config"},
	"github.com/prometheus":                  {"internal/metrics", "internal/history", "internal/bench"}, // a component owns its collectors
	"github.com/prometheus/exporter-toolkit": {"internal/web"},
	"go.yaml.in/yaml/v2":                     {"internal/web"}, // the web configuration is exporter-toolkit's
	"modernc.org/sqlite":                     {"internal/history"},
	"github.com/go-co-op/gocron":             {"internal/monitor"},
	"github.com/tufanbarisyildirim/gonginx":  {"internal/importer"},
	"github.com/slack-go/slack":              {"alerting/slack"},
	"github.com/pressly/goose":               {"internal/history"},
	"github.com/andybalholm/cascadia":        {"probes/extract"},
	"github.com/antchfx/":                    {"probes/extract"},
	"github.com/ohler55/ojg":                 {"probes/extract"},
	"golang.org/x/net/html":                  {"probes/extract"},
	"golang.org/x/net/netutil":               {"internal/web"},
	"golang.org/x/text":                      {"probes/extract", "internal/demo"}, // the demo speaks GBK, too
	"github.com/coder/websocket":             {"probes/engineio"},
	"github.com/redis/go-redis":              {"probes/redis"},
	"github.com/go-sql-driver/mysql":         {"probes/mysql"},
	"github.com/jackc/pgx":                   {"probes/postgres"},
	"github.com/bradfitz/gomemcache":         {"probes/memcached"},
	"github.com/google/go-cmp":               {"alerting/internal/golden"}, // beside every test
	"go.uber.org/goleak":                     {"probes/internal/readlimit/readlimittest"},
}

func TestEveryModuleHasOneHome(t *testing.T) {
	for name, p := range graph(t) {
		for _, path := range p.Imports {
			if ours(path) || standard(path) {
				continue
			}
			if !slices.Contains(homeOf(path), name) {
				t.Errorf("%s imports %s, whose home is %q", name, path, homeOf(path))
			}
		}
	}
}

func homeOf(path string) []string {
	longest := ""
	for prefix := range homes {
		if strings.HasPrefix(path, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return homes[longest]
}
