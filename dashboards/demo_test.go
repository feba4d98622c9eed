package dashboards

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/lab"
)

// quiet are parts of queries that have no result for the demo.
var quiet = []string{
	"stickwatch_certificate_expiry_timestamp_seconds", // without TLS
	"stickwatch_session_shared",                       // not checked with policy sticky
	`session="kept"`,                                  // drift loses all of them
	"stickwatch_jobs_skipped_total",                   // never overloaded
	"stickwatch_notifications_total",                  // without receivers
	"stickwatch_deployment_active",                    // none is announced
	"stickwatch_incidents_total",                      // begun before the first scrape
}

// TestDemo runs the queries of the dashboards on the metrics of two demos, whose faults
// exclude each other.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	lab.Require(t, "prometheus")
	binary := filepath.Join(t.TempDir(), "stickwatch")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/stickwatch").CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	drifts, ejects := lab.FreeAddr(t), lab.FreeAddr(t)
	addr := startPrometheus(t, drifts, ejects)
	runDemo(t, binary, drifts, "drift")
	runDemo(t, binary, ejects, "ejected", "page-failing")
	for _, q := range queries(t, "demo") {
		if !slices.ContainsFunc(quiet, func(part string) bool { return strings.Contains(q.expr, part) }) {
			t.Run(q.where, func(t *testing.T) { q.test(t, addr) })
		}
	}
}

func runDemo(t *testing.T, binary, addr string, faults ...string) {
	t.Helper()
	args := []string{"demo", "--listen", addr}
	for _, f := range faults {
		args = append(args, "--fault", f)
	}
	lab.Run(t, lab.Command{Name: "demo", Path: binary, Addr: addr, Args: args})
}
