package lab

import (
	"slices"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/expect"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// rateLimited puts an nginx in front of a balancer that serves each address ten requests a second,
// and answers 503 to further ones, as nginx does by default.
func rateLimited(f front, more string) front {
	behind := f.start
	f.start = func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		balancer := behind(tb, nodes, p)
		return Nginx(tb, NginxConfig{
			Servers: []Server{{Addr: must.URL(balancer.URL()).Host}},
			Location: "location / { proxy_pass http://cluster; proxy_set_header Host $host:$server_port; " +
				"limit_req zone=addresses burst=20 nodelay; " + more + " }",
			ExtraServers: "    limit_req_zone $binary_remote_addr zone=addresses:1m rate=10r/s;",
		})
	}
	return f
}

// TestRateLimit: a limit for each address, which users keep, refuses some of the requests that
// stickwatch sends at the same time. That is no fault of the cluster.
func TestRateLimit(t *testing.T) {
	for name, more := range map[string]string{"503": "", "429": "limit_req_status 429;"} {
		for _, f := range fronts {
			if f.name != "haproxy cookie" && f.name != "nginx round robin" {
				continue
			}
			t.Run(name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rateLimited(f, more), plan{profile: "tomcat-msm", shared: true, policy: policyBehind(f)})
				report := r.probe()
				limit := func(f checks.Finding) bool { return f.Code == checks.BlindSpot && f.Target == "limit" }
				if report.Verdict != checks.Healthy || !slices.ContainsFunc(report.Findings, limit) {
					t.Error(formatReport(report))
				}
				w := r.startWatcher(monitor.Intervals{Damping: checks.Damping{Appear: 1, Vanish: 1}})
				for range 3 {
					w.FollowUp(t.Context())
					must.Succeed(t, w.TakeRound(t.Context()))
				}
				expect.Equal(t, "changes after the first round", []string(nil), w.changes)
			})
		}
	}
}

// TestMaintenancePage: nginx answers every request with 503. That is an error for users.
func TestMaintenancePage(t *testing.T) {
	t.Parallel()
	f := fronts[slices.IndexFunc(fronts, named("nginx round robin"))]
	r := newRig(t, rateLimited(f, "return 503;"), plan{profile: "tomcat-msm", shared: true, policy: policyBehind(f)})
	report := r.probe()
	if len(report.Findings) == 0 || report.Findings[0].Code != checks.BalancerError {
		t.Error(formatReport(report))
	}
}
