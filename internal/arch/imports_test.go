// Package arch tests the rules of ARCHITECTURE.md: the layout, the import graph and the
// documents.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "stickwatch"

// A pkg is the output of `go list` for a package. Imports of tests are not checked.
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

// everywhere reports whether all packages may import path, because it imports the standard
// library only, or each other: internal/panics, in which goroutines start, internal/sleep,
// internal/loglimit and, for helpers of tests, internal/must and internal/expect.
func everywhere(path string) bool {
	return slices.Contains([]string{"internal/panics", "internal/sleep", "internal/loglimit", "internal/must", "internal/expect"}, within(path))
}

// TestCoreImports checks the direction probes <- checks <- alerting. These packages
// import nothing else but the standard library. Drivers are in folders below probes.
func TestCoreImports(t *testing.T) {
	allowed := map[string][]string{
		"probes":            {},
		"probes/balance":    {},
		"checks/evidence":   {"probes"},
		"checks":            {"probes", "probes/balance", "checks/evidence"},
		"alerting":          {"probes", "probes/balance", "checks"},
		"dashboards":        {},
		"internal/panics":   {},
		"internal/sleep":    {},
		"internal/loglimit": {},
		"internal/must":     {},
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

// TestAdaptersDoNotKnowEachOther checks that history, metrics, render and web import core
// packages and the JSON that they share, but not each other. A report may contain the watch
// of a deployment, so render imports gate. The server serves a document of docs.
func TestAdaptersDoNotKnowEachOther(t *testing.T) {
	packages := graph(t)
	for name, others := range map[string][]string{
		"internal/history":    {"internal/wire"},
		"internal/metrics":    {"internal/wire"},
		"internal/render":     {"internal/wire", "internal/gate", "internal/phrase", "internal/monthly", "internal/postmortem"},
		"internal/web":        {"internal/wire", "internal/docs", "internal/monthly", "internal/postmortem"},
		"internal/monthly":    {"internal/wire"},
		"internal/postmortem": {"internal/wire"},
		"internal/wire":       {},
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

// TestNotifyImports checks that delivery imports alerting and the history only, so that it
// does not depend on receivers and metrics, and that only the daemon and tests import it.
func TestNotifyImports(t *testing.T) {
	packages := graph(t)
	for _, path := range packages["internal/notify"].Imports {
		if ours(path) && !slices.Contains([]string{"alerting", "internal/history"}, within(path)) && !everywhere(path) {
			t.Errorf("internal/notify imports %s: it may import alerting and internal/history only", path)
		}
	}
	for name, p := range packages {
		if slices.Contains(p.Imports, module+"/internal/notify") && !slices.Contains([]string{"internal/daemon", "alerting/internal/receivertest"}, name) {
			t.Errorf("%s imports internal/notify: only the daemon and tests deliver", name)
		}
	}
}

// TestNobodyImports checks that no package imports a command, that only its command and
// test packages import the demo, that only tests import the lab, and that the monitor
// imports no adapter.
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

// homes are the packages that may import each third-party module. A module has one
// home, so that one package changes when it is replaced.
var homes = map[string][]string{
	"charm.land/lipgloss/v2":                 {"internal/render"},
	"github.com/charmbracelet/colorprofile":  {"cmd/stickwatch"},
	"github.com/charmbracelet/x/ansi":        {"internal/render"},
	"github.com/jstemmer/go-junit-report":    {"internal/render"},
	"github.com/spf13/cobra":                 {"cmd/stickwatch"},
	"golang.org/x/term":                      {"cmd/stickwatch"},
	"golang.org/x/sys":                       {"internal/fleet"}, // the clock that goes on while the machine sleeps
	"golang.org/x/time":                      {"internal/daemon"},
	"go.yaml.in/yaml/v4":                     {"internal/config", "internal/importer"}, // stickwatch.yml, and files of balancers
	"github.com/invopop/jsonschema":          {"internal/config"},
	"github.com/getkin/kin-openapi":          {"internal/docs/openapitest"},
	"github.com/prometheus":                  {"internal/metrics", "internal/history", "internal/bench"}, // each component owns its collectors
	"github.com/prometheus/exporter-toolkit": {"internal/web"},
	"go.yaml.in/yaml/v2":                     {"internal/web", "internal/discovery"},                   // exporter-toolkit reads the web configuration, and Prometheus its files of targets
	"github.com/miekg/dns":                   {"internal/discovery", "internal/lab", "internal/bench"}, // and servers for tests and measures
	"github.com/prometheus/prometheus":       {"internal/discovery"},                                   // the format of file_sd and http_sd
	"modernc.org/sqlite":                     {"internal/history"},
	"github.com/go-co-op/gocron":             {"internal/monitor"},
	"github.com/jonboulle/clockwork":         {"internal/monitor"},
	"github.com/slack-go/slack":              {"alerting/slack"},
	"github.com/pressly/goose":               {"internal/history"},
	"github.com/andybalholm/cascadia":        {"probes/extract"},
	"github.com/antchfx/":                    {"probes/extract"},
	"github.com/ohler55/ojg":                 {"probes/extract"},
	"golang.org/x/net/html":                  {"probes/extract"},
	"golang.org/x/net/netutil":               {"internal/web"},
	"golang.org/x/text":                      {"probes/extract", "internal/demo"}, // the demo serves GBK
	"github.com/coder/websocket":             {"probes/engineio", "probes/signalr", "internal/demo"},
	"github.com/redis/go-redis":              {"probes/redis"},
	"github.com/go-sql-driver/mysql":         {"probes/mysql"},
	"github.com/jackc/pgx":                   {"probes/postgres", "internal/history"},
	"github.com/bradfitz/gomemcache":         {"probes/memcached"},
	"github.com/google/go-cmp":               {"internal/expect"}, // beside tests
	"github.com/coreos/go-systemd":           {"cmd/stickwatch"},
	"go.uber.org/goleak":                     {"probes/internal/readlimit/readlimittest"},

	"github.com/grafana/grafana-foundation-sdk": {"dashboards/internal/generate"},
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

// TestEveryPackageIsListed checks that the table of ARCHITECTURE.md lists every package,
// and no package that does not exist.
func TestEveryPackageIsListed(t *testing.T) {
	packages := graph(t)
	var listed []string
	for _, line := range row.FindAllString(read(t, "ARCHITECTURE.md"), -1) {
		for _, m := range regexp.MustCompile("`([a-z]+(?:/[a-z]+)*)`").FindAllStringSubmatch(line, -1) {
			listed = append(listed, m[1])
		}
	}
	for name := range packages {
		if !slices.Contains(listed, name) {
			t.Errorf("ARCHITECTURE.md does not list %s", name)
		}
	}
	paths := regexp.MustCompile(`^(cmd|probes|checks|alerting|dashboards|internal)(/|$)`)
	for _, name := range listed {
		if _, there := packages[name]; !there && paths.MatchString(name) {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", name)
		}
	}
}

// topLevel lists the files and folders allowed at the top of the repository.
var topLevel = []string{
	"cmd", "probes", "checks", "alerting", "dashboards", "internal",
	"go.mod", "go.sum", "Dockerfile", "Makefile", "LICENSE",
	"README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
	".ci", ".github", ".gitignore", ".golangci.yml", ".goreleaser.yaml", ".dockerignore",
}

func TestTopLevel(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("git does not answer, so this is no checkout: %v", err)
	}
	for file := range strings.Lines(string(out)) {
		first, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if !slices.Contains(topLevel, first) {
			t.Errorf("%s is at the top level: want one of %q", file, topLevel)
		}
	}
}
