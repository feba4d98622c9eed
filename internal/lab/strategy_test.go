package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"

	"github.com/google/go-cmp/cmp"
)

// majors runs a test with both major versions of Socket.IO.
func majors(t *testing.T, test func(t *testing.T, major int)) {
	for _, major := range []int{2, 4} {
		t.Run(fmt.Sprintf("socket.io %d", major), func(t *testing.T) {
			t.Parallel()
			test(t, major)
		})
	}
}

// TestSystemBStatus compares the substitute's /status with the one in the guide.
func TestSystemBStatus(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		n := SocketIO(t, SocketIOConfig{Major: major, Nodes: 1})[0]
		response, err := http.Get(n.URL() + "/status")
		must.Succeed(t, err)
		defer response.Body.Close()
		var got map[string]any
		must.Succeed(t, json.NewDecoder(response.Body).Decode(&got))
		inner, ok := got["main"].(map[string]any)
		if !ok {
			t.Fatalf("got %v, want a main", got)
		}
		if since := fmt.Sprint(inner["up_since"]); !regexp.MustCompile(`^\d{4}-[1-9]\d?-[1-9]\d? \d\d:\d\d:\d\d$`).MatchString(since) {
			t.Errorf("up_since: got %q", since)
		}
		if pid := inner["pid"]; pid != float64(n.PID()) {
			t.Errorf("pid: got %v, want %d", pid, n.PID())
		}
		for _, varies := range []string{"cpu", "memory", "up_since", "pid"} {
			delete(inner, varies)
		}
		want := map[string]any{
			"version": "11.0.0.720", "enableTls": false, "scaling": "horizontal", "logging": true, "state": "running",
			"main": map[string]any{
				"connections": map[string]any{"total": 0.0, "current": 0.0, "max": 0.0},
				"messages":    map[string]any{"processed": 0.0},
				"restCalls":   map[string]any{"received": 1.0},
			},
		}
		expect.Equal(t, "result", want, got)
	})
}

// TestSystemB plays the faults that the guide's readers look for by hand, behind the
// guide's nginx. After every fault is repaired, nothing may be found.
func TestSystemB(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		s := newCollaboration(t, major)
		balancer := s.nginx(asWritten)
		c := s.cluster(balancer, "", s.nodes...)

		t.Run("healthy", func(t *testing.T) { s.expectHealthy(t, c) })
		t.Run("healthy, one server without a balancer", func(t *testing.T) {
			s.expectHealthy(t, s.cluster(s.nodes[0].URL(), "", s.nodes[0]))
		})
		t.Run("healthy, seen by many clients", func(t *testing.T) {
			s.expectHealthy(t, s.cluster(balancer, clientHeader, s.nodes...))
		})
		for _, f := range collaborationFaults {
			t.Run(f.name, func(t *testing.T) {
				f.act(s)
				s.expect(t, c, f.want...)
				f.repair(s)
				s.expectHealthy(t, c)
			})
		}
	})
}

// TestSystemBRoundRobin: without ip_hash handshakes reach servers that do not know the
// session, and a single cause is reported.
func TestSystemBRoundRobin(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		s := newCollaboration(t, major)
		c := s.cluster(s.nginx(guideConfig{Upgrade: true}), "", s.nodes...)
		s.confidence = 0.999999 // at the default, chance looks sticky in one of a thousand rounds
		_, report := s.probe(c)
		judgeScenario(t, scenario{want: []string{"session_drift", "handshake_broken"}}, report)
		if report.Session.Sticky != checks.No {
			t.Errorf("sticky: got %s, want no", report.Session.Sticky)
		}
		for _, f := range report.Findings {
			if f.Code == checks.HandshakeBroken && !strings.HasPrefix(f.ExplainedBy, "session_drift") {
				t.Errorf("handshake_broken is explained by %q, want session_drift", f.ExplainedBy)
			}
		}
	})
}

// TestSystemBNoUpgrade: without the upgrade headers clients keep polling.
func TestSystemBNoUpgrade(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		s := newCollaboration(t, major)
		s.expect(t, s.cluster(s.nginx(guideConfig{Sticky: true}), "", s.nodes...), "degraded", "upgrade_refused")
		s.expectNobody(t)
	})
}

// collaboration is system B: Strategy Collaboration Servers behind nginx, with their
// Redis and PostgreSQL.
type collaboration struct {
	tb              testing.TB
	nodes           []*SocketIONode
	redis, postgres *Dependency
	confidence      float64 // of the prober; 0: the default
}

func newCollaboration(tb testing.TB, major int) *collaboration {
	tb.Helper()
	s := &collaboration{tb: tb, redis: Redis(tb), postgres: Postgres(tb)}
	s.nodes = SocketIO(tb, SocketIOConfig{Major: major, Redis: s.redis, Postgres: s.postgres})
	return s
}

// A guideConfig is a variant of the clustering guide's nginx configuration. The zero
// value lacks everything.
type guideConfig struct {
	Sticky  bool // ip_hash, which "is a must"
	Upgrade bool // the headers of the WebSocket upgrade
}

// asWritten follows the guide exactly.
var asWritten = guideConfig{Sticky: true, Upgrade: true}

// guideServer is the guide's configuration except for the addresses.
var guideServer = template.Must(template.New("guide").Parse(`
    upstream collabServer {
{{- if .Sticky}}
        ip_hash;
{{- end}}
{{- range .Nodes}}
        server {{.Addr}};
{{- end}}
    }

    server {
        listen {{.Listen}};

        location /socket.io/ {
{{- if .Upgrade}}
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
{{- end}}
            proxy_pass http://collabServer/socket.io/;
        }

        location /status {
            proxy_pass http://collabServer/status;
        }
    }
`))

// nginx starts the guide's nginx in front of the servers and returns its URL. It
// accepts a client address header.
func (s *collaboration) nginx(g guideConfig) string {
	s.tb.Helper()
	listen := FreeAddr(s.tb)
	var text strings.Builder
	err := guideServer.Execute(&text, struct {
		guideConfig
		Nodes  []*SocketIONode
		Listen string
	}{g, s.nodes, listen})
	must.Succeed(s.tb, err)
	balancer := NginxConfig{RealIP: true, ExtraServers: text.String()}
	for _, n := range s.nodes {
		balancer.Servers = append(balancer.Servers, Server{Addr: n.Addr()})
	}
	Nginx(s.tb, balancer)
	// The first address accepts connections a moment before the second.
	must.Succeed(s.tb, poll(s.tb.Context(), nil, func(ctx context.Context) error { return dial(ctx, listen) }))
	return "http://" + listen
}

// addresses is a configuration of the profile with addresses only, and the first node
// as the primary.
var addresses = template.Must(template.New("addresses").Parse(`
clusters:
  - name: collaboration
    profile: strategy-collaboration
    balancer: {url: "{{.Balancer}}"{{with .Header}}, client_ip_header: {{.}}{{end}}}
    nodes:
{{- range $i, $n := .Nodes}}
      - {id: {{$n.ID}}, url: "{{$n.URL}}"{{if eq $i 0}}, primary: true{{end}}}
{{- end}}
    dependencies:
      - {name: Redis Server, url: "{{.Redis}}"}
      - {name: DB Service, url: "{{.Postgres}}"}
`))

// cluster returns the cluster as an operator would configure it. With a header one
// prober can act as many clients.
func (s *collaboration) cluster(balancer, header string, nodes ...*SocketIONode) *probes.Cluster {
	s.tb.Helper()
	type node struct{ ID, URL string }
	var listed []node
	for i, n := range nodes {
		listed = append(listed, node{fmt.Sprintf("collab%d", i+1), n.URL()})
	}
	var text strings.Builder
	err := addresses.Execute(&text, struct {
		Balancer, Header, Redis, Postgres string
		Nodes                             []node
	}{balancer, header, s.redis.URL(), s.postgres.URL(), listed})
	must.Succeed(s.tb, err)
	cfg, err := config.Parse("stickwatch.yml", []byte(text.String()), os.LookupEnv)
	must.Succeed(s.tb, err)
	return cfg.Clusters[0]
}

// probe takes a round of a cluster, and returns it with its report.
func (s *collaboration) probe(c *probes.Cluster) (checks.Round, checks.Report) {
	s.tb.Helper()
	p := monitor.Prober{
		Confidence: s.confidence, Handshake: engineio.Handshake,
		Pingers: map[string]probes.Pinger{"redis": redis.Ping, "postgres": postgres.Ping},
	}
	round := p.Round(s.tb.Context(), c)
	return round, checks.Judge(round)
}

// verdict summarises a report: its findings, with "effect < cause" for an explained
// one.
func verdict(r checks.Report) []string {
	lines := []string{string(r.Verdict)}
	for _, f := range r.Findings {
		switch {
		case f.Severity == checks.Info:
		case f.ExplainedBy != "":
			lines = append(lines, f.Key()+" < "+f.ExplainedBy)
		default:
			lines = append(lines, f.Key())
		}
	}
	for i := range lines {
		for _, b := range r.Balancers {
			lines[i] = strings.ReplaceAll(lines[i], b.URL, "balancer")
		}
	}
	slices.Sort(lines)
	return lines
}

// expect probes a cluster and compares the summary.
func (s *collaboration) expect(t *testing.T, c *probes.Cluster, want ...string) {
	t.Helper()
	_, report := s.probe(c)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), verdict(report)); diff != "" {
		t.Errorf("-want +got:\n%s%s", diff, formatReport(report))
	}
}

// expectHealthy checks that there is no finding, sessions are sticky, every handshake
// was complete, and no session is left in any server.
func (s *collaboration) expectHealthy(t *testing.T, c *probes.Cluster) {
	t.Helper()
	round, report := s.probe(c)
	if diff := cmp.Diff([]string{"healthy"}, verdict(report)); diff != "" {
		t.Errorf("-want +got:\n%s%s", diff, formatReport(report))
	}
	if len(c.Nodes) > 1 && report.Session.Sticky != checks.Yes {
		t.Errorf("sticky: got %s, %s", report.Session.Sticky, report.Session.Reason)
	}
	if len(round.Handshakes) == 0 {
		t.Error("no handshake was tried")
	}
	for _, h := range round.Handshakes {
		if !h.Opened || !h.Known || !h.Offered || !h.Upgraded || h.Stage != "" {
			t.Errorf("the handshake is not whole: %+v", h)
		}
	}
	s.expectNobody(t)
}

// expectNobody waits until the servers have no sessions: a closed session is removed a
// moment later, and one that was not closed would stay longer than the test waits.
func (s *collaboration) expectNobody(t *testing.T) {
	t.Helper()
	opened := 0
	for _, n := range s.nodes {
		err := poll(t.Context(), nil, func(context.Context) error {
			sessions, err := n.Sessions()
			if err == nil && sessions.Open > 0 {
				err = fmt.Errorf("%s holds %d sessions", n.Addr(), sessions.Open)
			}
			return err
		})
		if err != nil {
			t.Error(err)
			continue
		}
		sessions, _ := n.Sessions()
		opened += sessions.Opened
	}
	if opened == 0 {
		t.Error("no server saw a session")
	}
}
