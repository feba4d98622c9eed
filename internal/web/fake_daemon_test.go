package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/docs/openapitest"
	"stickwatch/internal/must"
)

// A fakeDaemon implements all sources of a Server in memory.
type fakeDaemon struct {
	mu           sync.Mutex
	fakeClusters []*fakeCluster
	silences     []alerting.Silence
	began        []checks.Deployment
	watched      *alerting.WatchedCounts // counts passed to EndDeployment
	probed       []string
	reloads      int
	broken       error // error of the history
	deadLetters  []DeadLetter
	keeping      HistoryStatus
	ready        error
	born         time.Time // time of the first probe
	often        int       // probes in each point; 0: 20
	upgraded     bool      // there is no history of sessions yet
	counted      int       // calls of CountMoves
	latencyReads int       // calls of ClusterLatencies
}

func newFakeDaemon(fakeClusters ...*fakeCluster) *fakeDaemon {
	return &fakeDaemon{fakeClusters: fakeClusters}
}

// server returns a server at testTime, whose answers must be as the OpenAPI document says.
func (d *fakeDaemon) server(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	s := d.unchecked(t, change...)
	s.handler = openapitest.Handler(t, s.handler)
	return s
}

// unchecked returns a server at testTime.
func (d *fakeDaemon) unchecked(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	c := Config{
		Snapshots: d, History: d, Operator: d, Prober: d, Exporter: d, Reloader: d, Live: NewLive(),
		Metrics:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "stickwatch_build_info 1") }),
		Ready:    func() error { return d.ready },
		Location: time.UTC, Version: "1.0.0", CacheFor: time.Nanosecond,
		Now: func() time.Time { return testTime }, Logger: slog.New(slog.DiscardHandler),
		clock: func() time.Time { return testTime },
	}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	must.Succeed(t, err)
	return s
}

func (d *fakeDaemon) Snapshots() []Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []Snapshot
	for _, c := range d.fakeClusters {
		all = append(all, c.Snapshot)
	}
	return all
}

// replaceCluster replaces the cluster of the same name.
func (d *fakeDaemon) replaceCluster(c *fakeCluster) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.fakeClusters {
		if d.fakeClusters[i].Cluster.Name == c.Cluster.Name {
			d.fakeClusters[i] = c
		}
	}
}

func (d *fakeDaemon) Acknowledge(_ context.Context, id string, a alerting.Acknowledgement, takeOver bool) (alerting.Incident, error) {
	return d.change(id, func(i *alerting.Incident) error {
		if before := i.Acknowledged; !before.IsZero() && !takeOver {
			return alerting.AcknowledgedError{Existing: before}
		}
		a.At = testTime
		i.Acknowledged = a
		return nil
	})
}

func (d *fakeDaemon) AddNote(_ context.Context, id, by, text string) (alerting.Incident, error) {
	return d.change(id, func(i *alerting.Incident) error {
		*i = i.WithNote(alerting.NewNote(testTime, by, text))
		return nil
	})
}

// change changes an incident.
func (d *fakeDaemon) change(id string, by func(*alerting.Incident) error) (alerting.Incident, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return alerting.Incident{}, d.broken
	}
	for _, c := range d.fakeClusters {
		for n := range c.incidents {
			if i := &c.incidents[n]; i.ID == id {
				return *i, by(i)
			}
		}
	}
	return alerting.Incident{}, ErrNotFound
}

func (d *fakeDaemon) Probe(_ context.Context, cluster string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.probed = append(d.probed, cluster)
	return d.broken
}

func (d *fakeDaemon) Export(ctx context.Context, cluster string) (http.Handler, error) {
	if d.fakeCluster(cluster) == nil {
		return nil, fmt.Errorf("cluster %q: %w", cluster, ErrNotFound)
	}
	if err := d.Probe(ctx, cluster); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "stickwatch_balancer_up{cluster=%q} 1\n", cluster)
	}), nil
}

func (d *fakeDaemon) Reload(context.Context) error {
	d.reloads++
	if d.reloads > 1 {
		return errors.New("stickwatch.yml:3:5: clusters[0].nam: unknown key")
	}
	return nil
}

func (d *fakeDaemon) fakeCluster(cluster string) *fakeCluster {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.fakeClusters, func(c *fakeCluster) bool { return c.Cluster.Name == cluster })
	if i < 0 {
		return nil
	}
	return d.fakeClusters[i]
}

func (d *fakeDaemon) Points(_ context.Context, of []checks.Target, span checks.Span, step time.Duration) (map[checks.Target][]checks.Point, error) {
	all := make(map[checks.Target][]checks.Point)
	for _, t := range of {
		all[t] = d.points(t, span, step)
	}
	return all, d.broken
}

// points generates varying latencies, and failures during outages.
func (d *fakeDaemon) points(of checks.Target, span checks.Span, step time.Duration) (points []checks.Point) {
	for i, at := 0, span.From; at.Before(span.To) && at.Before(testTime); i, at = i+1, at.Add(step) {
		mean := time.Duration(1000+37*(i*i%23)+300*int(of.Name[len(of.Name)-1]-'0')) * time.Microsecond
		if of.Kind != checks.TargetNode {
			mean += 2 * time.Millisecond
		}
		if !at.Add(step).After(d.born) {
			continue
		}
		p := checks.Point{At: at, Probes: cmp.Or(d.often, 20), Mean: mean, Max: mean * 2}
		for _, out := range d.fakeCluster(of.Cluster).outages[of.Name] {
			if of.Kind == checks.TargetNode && at.Add(step).After(out.From) && at.Before(out.To) {
				p.Failed = int(20 * min(step, min(out.To.Sub(out.From), out.To.Sub(at))) / step)
				if p.Failed >= 20 {
					p.Mean, p.Max = 0, 0
				}
			}
		}
		points = append(points, p)
	}
	return points
}

func (d *fakeDaemon) Uptimes(_ context.Context, cluster string, span checks.Span, _ ...checks.TargetKind) ([]checks.Uptime, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	c := d.fakeCluster(cluster)
	up := func(kind checks.TargetKind, name string) checks.Uptime {
		return checks.Uptime{Target: checks.Target{Cluster: cluster, Kind: kind, Name: name}, Span: span, Probes: 100000, Failed: 20, Ratio: 0.9998, Longest: 12 * time.Second}
	}
	all := []checks.Uptime{up(checks.TargetBalancer, "http://10.0.0.9:8088 10.0.0.9:8088")}
	for _, n := range c.Cluster.Nodes {
		all = append(all, up(checks.TargetCanary, n.ID))
	}
	all = append(all, up(checks.TargetDependency, "Redis Server"))
	for _, n := range c.Cluster.Nodes {
		all = append(all, up(checks.TargetNode, n.ID))
	}
	if d.upgraded {
		return all, nil
	}
	for _, n := range c.Cluster.Nodes {
		u := up(checks.TargetSession, n.ID)
		u.Failed, u.Ratio = 1250, 0.9875
		all = append(all, u)
	}
	return all, nil
}

// Latencies returns percentiles of nodes and the balancer; those of node2 are not of all answers.
func (d *fakeDaemon) Latencies(_ context.Context, cluster string, _ checks.Span, _ ...checks.TargetKind) ([]checks.Latency, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	latency := func(kind checks.TargetKind, name string) checks.Latency {
		return checks.Latency{
			Target: checks.Target{Cluster: cluster, Kind: kind, Name: name},
			P50:    1400 * time.Microsecond, P95: 5200 * time.Microsecond, P99: 1240 * time.Millisecond, Probes: 5000,
		}
	}
	all := []checks.Latency{latency(checks.TargetBalancer, "http://10.0.0.9:8088 10.0.0.9:8088")}
	for _, n := range d.fakeCluster(cluster).Cluster.Nodes {
		l := latency(checks.TargetNode, n.ID)
		if n.ID == "node2" {
			l.Unknown = 700
		}
		all = append(all, l)
	}
	return all, nil
}

// ClusterLatencies returns percentiles of each cluster, and counts the calls.
func (d *fakeDaemon) ClusterLatencies(_ context.Context, clusters []string, _ checks.Span, kind checks.TargetKind) (map[string]checks.Latency, error) {
	d.latencyReads++
	all := make(map[string]checks.Latency)
	for _, cluster := range clusters {
		all[cluster] = checks.Latency{
			Target: checks.Target{Cluster: cluster, Kind: kind},
			P50:    1700 * time.Microsecond, P95: 6300 * time.Microsecond, P99: 1310 * time.Millisecond, Probes: 5000,
		}
	}
	return all, d.broken
}

func (d *fakeDaemon) Days(_ context.Context, of []checks.Target, to time.Time, n int) (map[checks.Target][]checks.Uptime, error) {
	all := make(map[checks.Target][]checks.Uptime)
	for _, t := range of {
		all[t] = d.days(t, to, n)
	}
	return all, d.broken
}

func (d *fakeDaemon) days(of checks.Target, to time.Time, n int) []checks.Uptime {
	days := make([]checks.Uptime, n)
	for i := range days {
		from := to.UTC().Truncate(24*time.Hour).AddDate(0, 0, i-n+1)
		days[i] = checks.Uptime{Target: of, Span: checks.Span{From: from, To: from.AddDate(0, 0, 1)}, Probes: 5000, Ratio: 1}
		switch {
		case i < 8:
			days[i].Probes, days[i].Ratio = 0, 0
		case i == 40:
			days[i].Ratio, days[i].Failed = 0.994, 30
		case i == 63 && of.Kind == checks.TargetNode:
			days[i].Ratio, days[i].Failed = 0.91, 450
		}
	}
	return days
}

func (d *fakeDaemon) Moves(_ context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	moves := slices.Clone(d.fakeCluster(cluster).moves)
	moves = slices.DeleteFunc(moves, func(m checks.Move) bool { return m.At.Before(span.From) || !m.At.Before(span.To) })
	return moves[:min(limit, len(moves))], nil
}

func (d *fakeDaemon) CountMoves(_ context.Context, cluster string, _ checks.Span) (moved, lost int, err error) {
	d.counted++
	for _, m := range d.fakeCluster(cluster).moves {
		if moved++; !m.Kept {
			lost++
		}
	}
	return moved, lost, d.broken
}

func (d *fakeDaemon) Placements(context.Context, string, checks.Span, int) ([]checks.Placement, error) {
	return nil, d.broken
}

func (d *fakeDaemon) FindingChanges(context.Context, string, checks.Span, int) ([]checks.Change, error) {
	return nil, d.broken
}

func (d *fakeDaemon) Incidents(_ context.Context, q alerting.IncidentQuery) ([]alerting.Incident, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []alerting.Incident
	for _, c := range d.fakeClusters {
		for _, i := range c.incidents {
			if q.Matches(&i) {
				found = append(found, i)
			}
		}
	}
	slices.SortFunc(found, func(a, b alerting.Incident) int { return b.Started.Compare(a.Started) })
	return found[:min(q.Limit, len(found))], nil
}

func (d *fakeDaemon) Deployments(_ context.Context, cluster string, _ checks.Span) ([]checks.Deployment, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	all := slices.Clone(d.began)
	for _, c := range d.fakeClusters {
		if cluster == "" || c.Cluster.Name == cluster {
			all = append(all, c.deployments...)
		}
	}
	return all, nil
}

func (d *fakeDaemon) CountsOf(context.Context, string, checks.Span) (alerting.Counts, error) {
	return alerting.Counts{Moved: 7, Lost: 2, Longest: 3 * time.Second}, d.broken
}

func (d *fakeDaemon) BeginDeployment(_ context.Context, deployment checks.Deployment) (string, error) {
	if d.broken != nil {
		return "", d.broken
	}
	d.began = append(d.began, deployment)
	return strconv.Itoa(len(d.began)), nil
}

func (d *fakeDaemon) EndDeployment(_ context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error {
	if d.broken != nil {
		return d.broken
	}
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(d.began) || !d.began[n-1].To.IsZero() {
		return fmt.Errorf("ending deployment %q: %w", id, ErrNotFound)
	}
	d.began[n-1].To, d.watched = at, watched
	return nil
}

func (d *fakeDaemon) Silences(_ context.Context, at time.Time) ([]alerting.Silence, error) {
	return slices.DeleteFunc(d.allSilences(), func(s alerting.Silence) bool { return !at.Before(s.To) }), d.broken
}

// allSilences returns every stored silence.
func (d *fakeDaemon) allSilences() []alerting.Silence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.silences)
}

// asked returns the clusters that were probed on request.
func (d *fakeDaemon) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.probed)
}

func (d *fakeDaemon) AddSilence(_ context.Context, s alerting.Silence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silences = append(d.silences, s)
	return d.broken
}

func (d *fakeDaemon) ExpireSilence(_ context.Context, id string, at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	for i := range d.silences {
		if d.silences[i].ID == id {
			d.silences[i].To = at
			return nil
		}
	}
	return fmt.Errorf("expiring silence %q: %w", id, ErrNotFound)
}

func (d *fakeDaemon) DeadLetters(context.Context, int) ([]DeadLetter, error) {
	return d.deadLetters, d.broken
}

func (d *fakeDaemon) HistoryStatus() HistoryStatus { return d.keeping }
