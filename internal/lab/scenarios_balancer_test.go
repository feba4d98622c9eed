package lab

import (
	"net/http"
	"net/http/httputil"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// balancerScenarios are faults of the balancer itself.
var balancerScenarios = []scenario{
	{name: "balancer down", act: func(r *rig) { r.front.Stop() }, want: []string{"balancer_down"}},
	{
		name: "all nodes down", act: func(r *rig) { r.stop("node1", "node2", "node3") },
		want: []string{"balancer_error", "node_down/node1", "node_down/node2", "node_down/node3"},
	},
	{
		name: "an unlisted node", on: notSticky, // sticky fronts show it only to new clients, which end when every listed node has answered
		plan: plan{profile: "tomcat-msm", shared: true, nodes: 4, unlisted: 1},
		want: []string{"unknown_node"},
	},
	{
		name: "an upstream of dead ports", plan: plan{profile: "tomcat-msm", shared: true, front: frontPlan{dead: true}},
		want: []string{"balancer_error"},
	},
	{
		name: "the wrong virtual host", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.serveFrom(http.NotFoundHandler()) },
		want: []string{"page_failing"}, is: checks.Failing,
	},
	{
		name: "a location is closed", on: named("nginx ip_hash", "nginx round robin"), plan: plan{profile: "tomcat-msm", shared: true, front: frontPlan{
			locations: "location /app_a/ { return 403; }",
		}},
		act:  func(r *rig) { r.cluster.Pages = pagesAt("/app_a/", "/app_b/") },
		want: []string{"page_failing"}, is: checks.Failing,
	},
	{
		name: "slow balancer", on: named("demo ip_hash", "nginx round robin"), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Limits.Slow = 400 * time.Millisecond
			proxy := httputil.NewSingleHostReverseProxy(must.URL(r.front.URL()))
			r.serveFrom(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				time.Sleep(500 * time.Millisecond) // delay of the balancer
				proxy.ServeHTTP(w, req)
			}))
		},
		want: []string{"slow"},
	},
	{
		name: "the balancer redirects in circles", on: named("demo ip_hash"), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.serveFrom(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				http.Redirect(w, req, req.URL.RequestURI(), http.StatusFound)
			}))
		},
		is: checks.Failing, also: []checks.Code{checks.BalancerDown, checks.BalancerError, checks.PageFailing},
	},
	{
		name: "a backup waits", on: withBackup, plan: plan{profile: "tomcat-msm", shared: true, backup: "node3"},
		is: checks.Healthy,
	},
	{
		name: "the backup takes over", on: withBackup, plan: plan{profile: "tomcat-msm", shared: true, backup: "node3"},
		act: func(r *rig) {
			r.stop("node1", "node2")
			r.waitServed()
		},
		want: []string{"node_down/node1", "node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation}, is: checks.Degraded,
	},
	{
		name: "a node taken out on purpose", on: canMarkDown, plan: plan{profile: "tomcat-msm", shared: true, down: "node2"},
		is: checks.Healthy,
	},
	{
		name: "a node taken out and stopped", on: canMarkDown, plan: plan{profile: "tomcat-msm", shared: true, down: "node2"},
		act: func(r *rig) { r.stop("node2") }, is: checks.Healthy,
	},
}

// withBackup selects fronts with backup servers: nginx has none with its hashes.
var withBackup = named("demo round robin", "nginx round robin", "nginx unknown", "haproxy round robin", "haproxy cookie", "apache byrequests")

// canMarkDown selects fronts in which a node can be marked down.
func canMarkDown(f front) bool { return !f.noMark }

// ejectionScenarios are healthy nodes to which the balancer sends no requests.
var ejectionScenarios = []scenario{
	{
		name: "marked down in the balancer only", on: matchesAll(provesAbsence, canMarkDown),
		plan: plan{front: frontPlan{down: "node2"}, profile: "tomcat-msm", shared: true},
		want: []string{"node_ejected/node2"},
	},
	{
		name: "ejected after failures", on: provesAbsence, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.eject("node2") }, want: []string{"node_ejected/node2"},
	},
	{
		name: "ejected of unequal ones", on: func(f front) bool { return choosing(f) && !f.equal && f.key == "" }, plan: plan{profile: "tomcat", shared: true, weights: []int{3, 1, 2}},
		act: func(r *rig) { r.eject("node3") }, want: []string{"node_ejected/node3"},
	},
	{
		name: "two ejected of three", on: matchesAll(provesAbsence, scatters), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.eject("node2"); r.eject("node3") }, want: []string{"node_ejected/node2", "node_ejected/node3"},
	},
	{
		name: "ejected after three failures", on: matchesAll(provesAbsence, some), plan: plan{profile: "tomcat-msm", shared: true, front: frontPlan{maxFails: 3}},
		act: func(r *rig) { r.eject("node2") }, want: []string{"node_ejected/node2"},
	},
	{
		name: "the lightest is ejected", on: func(f front) bool { return provesAbsence(f) && !f.equal },
		plan: plan{profile: "tomcat-msm", shared: true, weights: []int{5, 1, 1}},
		act:  func(r *rig) { r.eject("node3") }, want: []string{"node_ejected/node3"},
	},
	{
		name: "five to one to one", on: func(f front) bool { return !f.equal },
		plan: plan{profile: "tomcat-msm", shared: true, weights: []int{5, 1, 1}}, is: checks.Healthy,
	},
}

// scatters selects fronts that spread new clients: if all of them meet one node, neither a
// hash nor an ignored header explains it.
func scatters(f front) bool {
	return f.method == probes.MethodRoundRobin || f.method == probes.MethodRandom || f.method == probes.MethodCookie
}
