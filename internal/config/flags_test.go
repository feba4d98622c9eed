package config

import (
	"net/url"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestFromFlags(t *testing.T) {
	c, err := FromFlags(Flags{
		Balancer:       []string{"http://10.0.0.9:8088", "https://balancer.example"},
		Nodes:          []string{"node1=http://10.0.0.1:8080", "${node2}=http://10.0.0.2:8080"},
		Profile:        "tomcat",
		Method:         "ip_hash",
		ClientIPHeader: "X-Stickwatch-Client",
		Policy:         "sticky",
		Timeout:        1500 * time.Millisecond,
	})
	must.Succeed(t, err)
	limits := probes.DefaultLimits
	limits.Timeout, limits.Slow = 1500*time.Millisecond, 1500*time.Millisecond
	want := []*probes.Cluster{{
		Name:    "10.0.0.9:8088",
		Profile: "tomcat",
		Balancer: probes.Balancer{
			URLs:   []*url.URL{must.URL("http://10.0.0.9:8088"), must.URL("https://balancer.example")},
			Method: probes.MethodIPHash, MaxFails: 1, FailTimeout: 10 * time.Second, ClientIPHeader: "X-Stickwatch-Client",
		},
		Nodes: []probes.Node{
			{ID: "node1", URL: must.URL("http://10.0.0.1:8080"), Weight: 1},
			{ID: "${node2}", URL: must.URL("http://10.0.0.2:8080"), Weight: 1},
		},
		Session: &probes.Session{
			Path: "/cluster/index.jsp", Policy: probes.PolicySticky, Cookie: "JSESSIONID", Write: "/cluster/index.jsp?key1={value}",
		},
		Limits: limits,
		Budget: probes.DefaultBudget,
	}}
	expect.Equal(t, "result", want, c.Clusters, compare)
}

func TestFromFlagsProblems(t *testing.T) {
	balancer, nodes := []string{"http://10.0.0.9"}, []string{"node1=http://10.0.0.1"}
	tests := []struct {
		name  string
		flags Flags
		want  string
	}{
		{"nothing", Flags{}, "--balancer: is missing\n--node: is missing"},
		{"no node", Flags{Balancer: balancer}, "--node: is missing"},
		{"no equals sign", Flags{Balancer: balancer, Nodes: []string{"x"}}, `--node: "x": expected ID=URL`},
		{"an empty node", Flags{Balancer: balancer, Nodes: []string{""}}, `--node: "": expected ID=URL`},
		{"no id and no address", Flags{Balancer: balancer, Nodes: []string{"="}}, `--node: "=": expected ID=URL`},
		{"no id", Flags{Balancer: balancer, Nodes: []string{"=http://10.0.0.1"}}, `--node: "=http://10.0.0.1": expected ID=URL`},
		{
			"no scheme",
			Flags{Balancer: balancer, Nodes: []string{"node1=10.0.0.1"}},
			`--node: "10.0.0.1" has no scheme: expected one of http://, https://`,
		},
		{
			"twice",
			Flags{Balancer: balancer, Nodes: []string{"a=http://10.0.0.1", "a=http://10.0.0.2"}},
			`--node: the node id "a" is given twice`,
		},
		{
			"password",
			Flags{Balancer: []string{"http://admin:hunter2@10.0.0.9"}, Nodes: nodes},
			`--balancer: "http://***@10.0.0.9" has a user name or password, which this address cannot have`,
		},
		{
			"profile",
			Flags{Balancer: balancer, Nodes: nodes, Profile: "weaver"},
			`--profile: unknown profile "weaver": expected one of generic, aspnet-core, django, ebridge, express, huozige, jenkins, keycloak, php, rails, spring-session, strategy-collaboration, test-page, tomcat, tomcat-msm, tomcat-sticky, weblogic, websphere, wildfly`,
		},
		{
			"method",
			Flags{Balancer: balancer, Nodes: nodes, Method: "iphash"},
			`--method: unknown method "iphash" (did you mean "ip_hash"?): ` +
				`expected one of unknown, ip_hash, hash, source, round_robin, least_conn, random, cookie`,
		},
		{
			"header",
			Flags{Balancer: balancer, Nodes: nodes, ClientIPHeader: "a b"},
			`--client-ip-header: expected the name of a header, got "a b"`,
		},
		{
			"timeout",
			Flags{Balancer: balancer, Nodes: nodes, Timeout: time.Millisecond},
			`--timeout: expected at least 100ms, got 1ms`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := FromFlags(tt.flags)
			expect.Equal(t, "result", tt.want, errorText(err))
		})
	}
}
