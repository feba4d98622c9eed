package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
)

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
	if err != nil {
		s.tb.Fatal(err)
	}
	balancer := NginxConfig{RealIP: true, ExtraServers: text.String()}
	for _, n := range s.nodes {
		balancer.Servers = append(balancer.Servers, Server{Addr: n.Addr()})
	}
	Nginx(s.tb, balancer)
	// The first address accepts connections a moment before the second.
	if err := poll(s.tb.Context(), nil, func(ctx context.Context) error { return dial(ctx, listen) }); err != nil {
		s.tb.Fatal(err)
	}
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
	if err != nil {
		s.tb.Fatal(err)
	}
	cfg, err := config.Parse("stickwatch.yml", []byte(text.String()), os.LookupEnv)
	if err != nil {
		s.tb.Fatal(err)
	}
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
		if !h.Opened || !h.Known || !h.Offered || !h.Upgraded || h.Stage != "" || h.Series == "" {
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
