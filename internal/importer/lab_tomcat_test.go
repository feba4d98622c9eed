package importer_test

import (
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/importer"
	"stickwatch/internal/lab"
	"stickwatch/internal/monitor"
)

// TestTomcatsFromApacheToVerdict imports httpd.conf, sends requests to two real
// Tomcats, and checks that a round finds the cluster healthy and sessions replicated.
func TestTomcatsFromApacheToVerdict(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real servers")
	}
	var members []lab.Server
	for _, tomcat := range lab.Tomcats(t, lab.TomcatConfig{Nodes: []string{"tomcat1", "tomcat2"}, Replicate: true}) {
		members = append(members, lab.Server{Name: tomcat.Name(), Addr: tomcat.Addr()})
	}
	apache := lab.Apache(t, lab.ApacheConfig{Servers: members, StickySession: "JSESSIONID|jsessionid"})
	cluster, guesses := written(t, importer.Apache, apache.ConfigFile())
	if cluster.Profile != "tomcat" || cluster.Nodes[0].ID != "tomcat1" {
		t.Errorf("got profile %q, first node %q, want tomcat, tomcat1", cluster.Profile, cluster.Nodes[0].ID)
	}
	if len(guesses) != 1 { // about the policy, which no file contains
		t.Errorf("got guesses %q, want one", guesses)
	}
	report := checks.Judge(new(monitor.Prober).Round(t.Context(), cluster))
	if report.Verdict != checks.Healthy {
		t.Errorf("got verdict %s, want healthy: %+v", report.Verdict, report.Findings)
	}
}
