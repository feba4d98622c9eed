package lab

import (
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/evidence"

	"github.com/google/go-cmp/cmp"
)

// states returns the states in a balancer's evidence, by server name.
func states(tb testing.TB, obs probes.EvidenceObservation) map[string]probes.ServerState {
	tb.Helper()
	if obs.Error != "" {
		tb.Fatalf("reading %s: %s", obs.Source, obs.Error)
	}
	got := map[string]probes.ServerState{}
	for _, s := range obs.Servers {
		got[s.Server] = s.State
	}
	return got
}

// errorLog returns which servers nginx's error log at path says are ejected at now.
func errorLog(tb testing.TB, path string, now time.Time, o evidence.NginxOptions) probes.EvidenceObservation {
	f := evidence.Follow(path, o)
	defer f.Close()
	return f.Read(tb.Context(), now)
}

// lines counts the evidence lines of each server's ejections.
func lines(obs probes.EvidenceObservation) map[string]int {
	got := map[string]int{}
	for _, s := range obs.Servers {
		for _, e := range s.Episodes {
			got[s.Server] += e.Lines
		}
	}
	return got
}

// oneDead returns a dead server, first in the list, and a healthy one.
func oneDead(tb testing.TB) []Server {
	tb.Helper()
	return append([]Server{{Name: "dead", Addr: FreeAddr(tb), FailTimeout: ejection}}, nodes(tb, "alive")...)
}

var longEjection = evidence.NginxOptions{FailTimeout: ejection}

func TestNginxEvidence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		level  string
		state  probes.ServerState
		silent string
	}{
		// The log starts at its first line, which is not enough for an ejection's
		// duration.
		{"warn", probes.ServerDown, "cover only the last"},
		{"error", probes.ServerUnknown, "needs the level warn"},
	}
	for _, test := range tests {
		t.Run(test.level, func(t *testing.T) {
			t.Parallel()
			servers := oneDead(t)
			n := Nginx(t, NginxConfig{Servers: servers, ErrorLogLevel: test.level})
			for range 4 {
				get(t, n.URL())
			}
			now := time.Now()
			obs := errorLog(t, n.ErrorLog(), now, longEjection)
			expect.Equal(t, "states", map[string]probes.ServerState{servers[0].Addr: test.state}, states(t, obs))
			if !strings.Contains(obs.NoAbsence, test.silent) {
				t.Errorf("Silent = %q, want %q", obs.NoAbsence, test.silent)
			}
			// Long after, the same log shows that the ejection has ended, and because
			// it would show another one, the absence of lines counts.
			later := errorLog(t, n.ErrorLog(), now.Add(time.Hour), longEjection)
			if test.level != "warn" {
				return
			}
			expect.Equal(t, "states an hour later", map[string]probes.ServerState{servers[0].Addr: probes.ServerUp}, states(t, later))
			if later.NoAbsence != "" {
				t.Errorf("Silent = %q an hour later, want it to be telling", later.NoAbsence)
			}
		})
	}
}

func TestNginxEvidenceOfAnEmptyUpstream(t *testing.T) {
	t.Parallel()
	servers := []Server{{Addr: FreeAddr(t), FailTimeout: ejection}, {Addr: FreeAddr(t), FailTimeout: ejection}}
	n := Nginx(t, NginxConfig{Servers: servers})
	for range 3 {
		get(t, n.URL())
	}
	obs := errorLog(t, n.ErrorLog(), time.Now(), longEjection)
	want := map[string]probes.ServerState{servers[0].Addr: probes.ServerDown, servers[1].Addr: probes.ServerDown}
	expect.Equal(t, "states", want, states(t, obs))
	if len(obs.Pools) != 1 || obs.Pools[0].Pool != "cluster" || obs.Pools[0].State != probes.ServerDown {
		t.Errorf("pools %+v, want cluster to be down", obs.Pools)
	}
}

// TestNginxEvidenceAcrossRotation: two nodes are ejected, one before and one after the
// log is rotated: each line is read once.
func TestNginxEvidenceAcrossRotation(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, n *NginxBalancer){
		"rename and reopen": func(t *testing.T, n *NginxBalancer) {
			must.Succeed(t, os.Rename(n.ErrorLog(), n.ErrorLog()+".1"))
			must.Succeed(t, syscall.Kill(n.PID(), syscall.SIGUSR1))
			await(t, "reopened", func() bool {
				_, err := os.Stat(n.ErrorLog())
				return err == nil
			})
		},
		"rename alone": func(t *testing.T, n *NginxBalancer) {
			must.Succeed(t, os.Rename(n.ErrorLog(), n.ErrorLog()+".1"))
		},
		"copy and truncate": func(t *testing.T, n *NginxBalancer) {
			must.Succeed(t, os.WriteFile(n.ErrorLog()+".1", []byte(read(t, n.ErrorLog())), 0o600))
			must.Succeed(t, os.Truncate(n.ErrorLog(), 0))
		},
	}
	for name, rotate := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := append(oneDead(t), Server{Addr: FreeAddr(t), FailTimeout: ejection, Backup: true})
			dead, backup := servers[0].Addr, servers[2].Addr
			n := Nginx(t, NginxConfig{Servers: servers})
			f := evidence.Follow(n.ErrorLog(), longEjection)
			defer f.Close()
			get(t, n.URL())
			get(t, n.URL())
			if diff := cmp.Diff(map[string]int{dead: 1}, lines(f.Read(t.Context(), time.Now()))); diff != "" {
				t.Fatalf("lines before the rotation (-want +got):\n%s", diff)
			}
			rotate(t, n)
			// A reload resets the ejection; without the healthy node, both others are
			// tried.
			n.Reload(NginxConfig{Servers: []Server{servers[0], {Addr: backup, FailTimeout: ejection}}})
			get(t, n.URL())
			obs := f.Read(t.Context(), time.Now())
			expect.Equal(t, "lines after the rotation", map[string]int{dead: 2, backup: 1}, lines(obs))
		})
	}
}

func TestHAProxyEvidence(t *testing.T) {
	t.Parallel()
	dead, admin := FreeAddr(t), FreeAddr(t)
	servers := append(nodes(t, "alive", "drained"), Server{Name: "dead", Addr: dead}, Server{Name: "disabled", Addr: dead, Down: true})
	h := HAProxy(t, HAProxyConfig{
		Servers: servers, CheckPath: "/status",
		ExtraBackend: "    server unchecked " + dead + "\n    server weightless " + servers[0].Addr + " check weight 0\n" +
			"frontend admin\n    bind " + admin + "\n    stats enable\n    stats uri /\n    stats admin if TRUE\n",
	})
	resp, err := http.PostForm("http://"+admin+"/", url.Values{"b": {"cluster"}, "s": {"drained"}, "action": {"drain"}})
	must.Succeed(t, err)
	resp.Body.Close()
	want := map[string]probes.ServerState{
		"alive": probes.ServerUp, "dead": probes.ServerDown, "disabled": probes.ServerMaintenance,
		"unchecked": probes.ServerUp, "drained": probes.ServerDraining, "weightless": probes.ServerDraining,
	}
	var obs probes.EvidenceObservation
	await(t, "down", func() bool {
		obs = evidence.HAProxyStats(t.Context(), nil, must.URL(h.StatsURL()), "cluster")
		return states(t, obs)["dead"] == probes.ServerDown
	})
	expect.Equal(t, "states", want, states(t, obs))
	for _, s := range obs.Servers {
		if age := time.Since(s.Since); age < 0 || age > time.Minute {
			t.Errorf("%s has its state since %v, want a moment ago", s.Server, s.Since)
		}
		if s.Unchecked != (s.Server == "unchecked") {
			t.Errorf("%s has no health check: %t", s.Server, s.Unchecked)
		}
	}
}

// TestApacheEvidence: both pages of httpd show the same states, except for the route
// and the time.
func TestApacheEvidence(t *testing.T) {
	t.Parallel()
	servers := nodes(t, "alive", "disabled", "standby")
	servers[1].Down, servers[2].Backup = true, true
	servers = append(servers, Server{Name: "dead", Addr: FreeAddr(t), FailTimeout: ejection})
	a := Apache(t, ApacheConfig{Servers: servers})
	for range 4 {
		get(t, a.URL())
	}
	want := map[string]probes.ServerState{
		"alive": probes.ServerUp, "disabled": probes.ServerMaintenance, "standby": probes.ServerUp, "dead": probes.ServerDown,
	}
	byAddress := map[string]probes.ServerState{}
	for _, s := range servers {
		byAddress[s.Addr] = want[s.Name]
	}
	expect.Equal(t, "states on the status page", byAddress, states(t, evidence.ApacheStatus(t.Context(), nil, must.URL(a.StatusURL()))))
	expect.Equal(t, "states in the manager", want, states(t, evidence.ApacheBalancerManager(t.Context(), nil, must.URL(a.ManagerURL()))))
}

func TestCaddyEvidence(t *testing.T) {
	t.Parallel()
	servers := oneDead(t)
	c := Caddy(t, CaddyConfig{Servers: servers, Policy: "round_robin", FailDuration: ejection})
	for range 4 {
		get(t, c.URL())
	}
	obs := evidence.CaddyAdmin(t.Context(), nil, must.URL(c.AdminURL()))
	want := map[string]probes.ServerState{servers[0].Addr: probes.ServerUnknown, servers[1].Addr: probes.ServerUnknown}
	expect.Equal(t, "states", want, states(t, obs))
	for _, s := range obs.Servers {
		if s.Server == servers[0].Addr && s.Fails != 1 {
			t.Errorf("Caddy remembers %d failures of the dead node, want 1", s.Fails)
		}
	}
}

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
		{"hash and log", "nginx ip_hash", "ebridge", nginxLog, []string{"by the hash: a client", "balancer's evidence: nginx error log"}},
		{"clients and log", "nginx round robin", "tomcat-msm", nginxLog, []string{"by new clients: none", "balancer's evidence: nginx error log"}},
		{"the log alone", "nginx round robin", "huozige", nginxLog, []string{"balancer's evidence: nginx error log"}},
		{"clients and statistics", "haproxy round robin", "tomcat-msm", haproxyStats, []string{"by new clients: none", "balancer's evidence: haproxy"}},
		{"the statistics alone", "haproxy round robin", "huozige", haproxyStats, []string{"balancer's evidence: haproxy"}},
		{"clients and admin API", "caddy cookie", "tomcat-msm", caddyAdmin, []string{"by new clients: none", "balancer's evidence: caddy"}},
		{"the admin API alone", "caddy round_robin", "huozige", caddyAdmin, []string{"balancer's evidence: caddy"}},
		{"clients and status", "apache byrequests", "tomcat-msm", apacheStatus, []string{"by new clients: none", "balancer's evidence: apache"}},
		{"the manager alone", "apache byrequests", "huozige", apacheManager, []string{"balancer's evidence: apache"}},
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
	s.HAProxyStats = must.URL(e.(*HAProxyBalancer).StatsURL())
}

func caddyAdmin(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.CaddyAdmin = must.URL(e.(*CaddyBalancer).AdminURL())
}

func apacheStatus(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.ApacheStatus = must.URL(e.(*ApacheBalancer).StatusURL())
}

func apacheManager(e frontend, s *probes.EvidenceSources, tb testing.TB) {
	s.ApacheBalancerManager = must.URL(e.(*ApacheBalancer).ManagerURL())
}
