package lab

import (
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestSystemCEvidence: httpd has lost the AJP port of a Tomcat that is well by
// HTTP. Its manager knows the Tomcat by its route; its status page knows only
// the AJP port, which the configuration has to tell where hosts are the same.
func TestSystemCEvidence(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
	for _, tc := range []struct {
		name   string
		source func(*systemC, *ApacheBalancer)
	}{
		{"the manager", func(s *systemC, a *ApacheBalancer) { apacheManager(a, &s.cluster.Balancer.Evidence, t) }},
		{"the status page", func(s *systemC, a *ApacheBalancer) {
			apacheStatus(a, &s.cluster.Balancer.Evidence, t)
			for i := range s.cluster.Nodes {
				s.cluster.Nodes[i].Server = s.ajp[i]
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSystemC(t, tomcats, apacheSticky, "", loseAJP)
			tc.source(s, s.httpd)
			judgeScenario(t, scenario{want: []string{"node_ejected/tomcat2"}}, checks.Judge(s.round()))
			report := checks.Judge(s.round()) // by now httpd has tried it
			judgeScenario(t, scenario{want: []string{"node_ejected/tomcat2"}}, report)
			wantEvidence(t, report, "by new clients: none of")
			wantEvidence(t, report, "by the balancer's evidence: apache")
		})
	}
	t.Run("the manager alone", func(t *testing.T) {
		s := newSystemC(t, tomcats, apacheSticky, probes.PolicyShared, loseAJP)
		apacheManager(s.httpd, &s.cluster.Balancer.Evidence, t)
		s.cluster.Session.Node = header(t, "X-Nobody")
		s.round()
		report := checks.Judge(s.round())
		judgeScenario(t, scenario{want: []string{"node_ejected/tomcat2"}}, report)
		wantEvidence(t, report, "by the balancer's evidence: apache")
	})
}

// loseAJP has httpd ask tomcat2 where nothing listens.
func loseAJP(tb testing.TB, s *Server) {
	if s.Name == "tomcat2" {
		s.Addr = FreeAddr(tb)
	}
}
