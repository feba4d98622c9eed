package lab

import (
	"net/http"

	"stickwatch/checks"
	"stickwatch/internal/demo"
)

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
