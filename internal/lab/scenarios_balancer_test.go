package lab

import (
	"net/http"
	"net/http/httputil"
	"time"

	"stickwatch/checks"
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
			proxy := httputil.NewSingleHostReverseProxy(parse(r.tb, r.front.URL()))
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
func canMarkDown(f front) bool { return !f.blunt }
