package lab

import (
	"net/http"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// dependencyScenarios are faults of services that nodes need.
var dependencyScenarios = []scenario{
	{
		name: "redis down", plan: plan{redis: true, profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.redis.Stop() },
		want: []string{"dependency_down/Redis Server", "node_paused/node1", "node_paused/node2", "node_paused/node3"},
	},
	{
		name: "one node cannot reach redis", plan: plan{redis: true, profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) {
				f.Paused = "The following dependent services are unavailable: Redis Server"
			})
		},
		want: []string{"dependency_down/Redis Server", "dependency_disputed/Redis Server", "node_paused/node2"},
	},
	{
		name: "paused without a reason that names a service", plan: plan{front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Paused = "maintenance" }) },
		want: []string{"node_paused/node2"},
	},
	{
		name: "two services down", on: named("demo ip_hash", "nginx ip_hash"), plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}},
		act: func(r *rig) {
			r.cluster.Dependencies = []probes.Dependency{r.dead("Redis Server", "redis"), r.dead("Database Server", "postgres")}
			r.changeAll(func(f *demo.NodeFaults) {
				f.Paused = "The following dependent services are unavailable: Redis Server, Database Server"
			})
		},
		want: []string{"dependency_down/Redis Server", "dependency_down/Database Server", "node_paused/node1", "node_paused/node2", "node_paused/node3"},
	},
	{
		name: "a service that nobody misses", on: matchesAll(holdsAny, some), plan: plan{},
		act:  func(r *rig) { r.cluster.Dependencies = []probes.Dependency{r.dead("Redis Server", "redis")} },
		want: []string{"dependency_down/Redis Server", "dependency_disputed/Redis Server"},
	},
	{
		name: "a port that is closed", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.cluster.Dependencies = []probes.Dependency{r.dead("Mail", "tcp")} },
		want: []string{"dependency_down/Mail"},
	},
	{
		name: "memcached down", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.addDependency("Sessions", Memcached).Stop() }, want: []string{"dependency_down/Sessions"},
	},
	{
		name: "mariadb down", on: named("nginx round robin"), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.addDependency("Users", MariaDB).Stop() }, want: []string{"dependency_down/Users"},
	},
	{
		name: "postgres down", on: named("nginx round robin"), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.addDependency("Users", Postgres).Stop() }, want: []string{"dependency_down/Users"},
	},
	{
		name: "every service up", on: named("nginx round robin"), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.addDependency("Cache", Redis)
			r.addDependency("Sessions", Memcached)
		},
		is: checks.Healthy,
	},
}

// dead returns a dependency at which nothing listens.
func (r *rig) dead(name, scheme string) probes.Dependency {
	return probes.Dependency{Name: name, URL: must.URL(scheme + "://" + FreeAddr(r.tb))}
}

// addDependency starts a real service and adds it to the configuration.
func (r *rig) addDependency(name string, start func(testing.TB) *Dependency) *Dependency {
	d := start(r.tb)
	r.cluster.Dependencies = append(r.cluster.Dependencies, probes.Dependency{Name: name, URL: must.URL(d.URL())})
	return d
}

// handshakeScenarios are faults of Engine.IO.
var handshakeScenarios = []scenario{
	{
		name: "handshake behind round robin", on: named("demo round robin", "nginx round robin"), plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}},
		act: func(*rig) {}, want: []string{"session_drift", "handshake_broken"},
	},
	{
		name: "upgrade not passed", on: named("demo ip_hash", "nginx ip_hash"), plan: plan{profile: "strategy-collaboration"},
		act: func(*rig) {}, want: []string{"upgrade_refused"},
	},
	{
		name: "one node forgets its sockets", on: named("demo ip_hash", "nginx ip_hash"), plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ForgetSockets = true }) },
		want: []string{"handshake_broken"},
	},
	{
		name: "one node refuses the upgrade", on: named("demo ip_hash", "nginx ip_hash"),
		plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}, middleware: noUpgrade("node2")},
		want: []string{"upgrade_refused"},
	},
	{
		name: "a socket server that is well", on: named("demo ip_hash", "nginx ip_hash", "nginx ip_hash, one address"),
		plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, is: checks.Healthy,
	},
}

// noUpgrade disables WebSocket on one node.
func noUpgrade(id string) func(*demo.Node) http.Handler {
	return func(n *demo.Node) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.ID() == id && r.Header.Get("Upgrade") != "" {
				http.Error(w, "no WebSocket here", http.StatusBadRequest)
				return
			}
			n.ServeHTTP(w, r)
		})
	}
}
