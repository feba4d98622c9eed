package lab

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// TestNodesRefuseHost: nodes know their site by the name that the balancer passes on, and refuse
// direct requests, or answer them with another site. That is no fault of the cluster, and it is
// said what to set.
func TestNodesRefuseHost(t *testing.T) {
	for _, status := range []int{200, 400, 403, 404, 421} {
		for _, policy := range []probes.Policy{probes.PolicySticky, probes.PolicyShared} {
			t.Run(fmt.Sprintf("%d/%s", status, policy), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, fronts[slices.IndexFunc(fronts, named("haproxy cookie"))], plan{
					policy: policy, shared: policy == probes.PolicyShared, middleware: onlyThroughBalancer(status),
				})
				report := r.probe()
				judgeScenario(t, scenario{never: checks.Failing}, report)
				told := slices.ContainsFunc(report.Findings, func(f checks.Finding) bool {
					return f.Code == checks.BlindSpot && f.Target == "direct" && strings.Contains(f.Remedy.String(), "`host`")
				})
				if !told {
					t.Errorf("nothing says to set host: %s", formatReport(report))
				}
			})
		}
	}
}

// onlyThroughBalancer answers requests that name the node's own address with a status and a page
// of another site.
func onlyThroughBalancer(status int) func(*demo.Node) http.Handler {
	return func(n *demo.Node) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(http.LocalAddrContextKey).(net.Addr).String() == r.Host {
				w.WriteHeader(status)
				fmt.Fprintln(w, "<h1>It works!</h1>")
				return
			}
			n.ServeHTTP(w, r)
		})
	}
}
