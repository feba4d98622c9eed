package lab

import (
	"slices"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// secondAddress adds a second balancer as another address of the rig's cluster.
func (r *rig) secondAddress(c NginxConfig, order ...int) string {
	r.tb.Helper()
	c.Servers = servers(r.tb, inAnOrder(r.nodes, order), plan{})
	second := Nginx(r.tb, c)
	r.cluster.Balancer.URLs = append(r.cluster.Balancer.URLs, parse(r.tb, second.URL()))
	return second.Addr()
}

func inAnOrder(nodes []*demo.Node, order []int) (list []*demo.Node) {
	if len(order) == 0 {
		return nodes
	}
	for _, i := range order {
		list = append(list, nodes[i])
	}
	return list
}

// TestOneAddressScatters runs two balancers, one of them without a method. The finding
// names the address at which clients do not stay.
func TestOneAddressScatters(t *testing.T) {
	for _, profile := range []string{"generic", "ebridge", "tomcat"} {
		for _, f := range fronts {
			if !named("nginx ip_hash", "nginx hash", "nginx hash consistent")(f) {
				continue
			}
			t.Run(profile+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, f, plan{profile: profile, policy: probes.PolicySticky})
				second := r.secondAddress(NginxConfig{RealIP: true})
				judgeScenario(t, scenario{cause: cause{code: checks.SessionDrift, mentions: []string{second}}}, r.probe())
			})
		}
	}
}

// TestAddressesInAnotherOrder runs two balancers that list the nodes in a different
// order. Each is correct on its own, and a zone would not help.
func TestAddressesInAnotherOrder(t *testing.T) {
	for _, profile := range []string{"generic", "ebridge", "tomcat"} {
		for _, name := range []string{"nginx ip_hash", "nginx hash"} {
			t.Run(profile+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := fronts[slices.IndexFunc(fronts, named(name))]
				r := newRig(t, f, plan{profile: profile, policy: probes.PolicySticky})
				r.secondAddress(NginxConfig{RealIP: true, Method: methodOf(f)}, 2, 0, 1)
				judgeScenario(t, scenario{cause: cause{
					code: checks.BalancerSplit, severity: anySeverity, mentions: []string{"order"}, omits: []string{"zone"},
				}}, r.probe())
			})
		}
	}
}

// TestAddressesInOneOrder runs two balancers with the same list.
func TestAddressesInOneOrder(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{})
	r.secondAddress(NginxConfig{RealIP: true, Method: "ip_hash"})
	judgeScenario(t, scenario{is: checks.Healthy}, r.probe())
}

// methodOf returns the nginx directive for the method of a front.
func methodOf(f front) string {
	if f.method == probes.MethodIPHash {
		return "ip_hash"
	}
	return "hash $remote_addr"
}
