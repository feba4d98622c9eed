package lab

import (
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestEvidenceReaders: every source of evidence reports a node that its balancer has
// ejected: the hash, the new clients, and the balancer itself, whose report is enough
// where answers identify no node.
func TestEvidenceReaders(t *testing.T) {
	for _, tc := range []struct {
		name     string
		front    string
		profile  string
		evidence func(frontend, *probes.EvidenceSources, testing.TB)
		spoke    []string // parts of the finding's evidence
	}{
		{"hash and log", "nginx ip_hash", "ebridge", nginxLog, []string{"by the hash: a client", "own word: nginx error log"}},
		{"clients and log", "nginx round robin", "tomcat-msm", nginxLog, []string{"by new clients: none", "own word: nginx error log"}},
		{"the log alone", "nginx round robin", "huozige", nginxLog, []string{"own word: nginx error log"}},
		{"clients and statistics", "haproxy round robin", "tomcat-msm", haproxyStats, []string{"by new clients: none", "own word: haproxy"}},
		{"the statistics alone", "haproxy round robin", "huozige", haproxyStats, []string{"own word: haproxy"}},
		{"clients and admin API", "caddy cookie", "tomcat-msm", caddyAdmin, []string{"by new clients: none", "own word: caddy"}},
		{"the admin API alone", "caddy round_robin", "huozige", caddyAdmin, []string{"own word: caddy"}},
		{"clients and status", "apache byrequests", "tomcat-msm", apacheStatus, []string{"by new clients: none", "own word: apache"}},
		{"the manager alone", "apache byrequests", "huozige", apacheManager, []string{"own word: apache"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := fronts[slices.IndexFunc(fronts, named(tc.front))]
			r := newRig(t, f, plan{profile: tc.profile, shared: true})
			r.cluster.Balancer.MaxFails = 1 // the rig's setting, whatever the profile's is
			tc.evidence(r.front, &r.cluster.Balancer.Evidence, t)
			r.eject("node2")
			report := r.probe()
			judgeScenario(t, scenario{want: []string{"node_ejected/node2"}}, report)
			for _, f := range report.Findings {
				text := strings.ToLower(evidenceOf(f))
				for _, part := range tc.spoke {
					if f.Code == checks.NodeEjected && !strings.Contains(text, strings.ToLower(part)) {
						t.Errorf("got evidence %q, want %q in it", f.Evidence, part)
					}
				}
			}
		})
	}
}

func nginxLog(e frontend, s *probes.EvidenceSources, _ testing.TB) {
	s.NginxErrorLog = e.(*NginxBalancer).ErrorLog()
}

func haproxyStats(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.HAProxyStats = parse(tb, e.(*HAProxyBalancer).StatsURL())
}

func caddyAdmin(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.CaddyAdmin = parse(tb, e.(*CaddyBalancer).AdminURL())
}

func apacheStatus(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.ApacheStatus = parse(tb, e.(*ApacheBalancer).StatusURL())
}

func apacheManager(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.ApacheBalancerManager = parse(tb, e.(*ApacheBalancer).ManagerURL())
}
