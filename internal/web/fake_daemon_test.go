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
}

func newFakeDaemon(fakeClusters ...*fakeCluster) *fakeDaemon {
	return &fakeDaemon{fakeClusters: fakeClusters}
}

// server returns a server at testTime, whose answers must be as the OpenAPI document says.
func (w *fakeDaemon) server(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	c := Config{
		Snapshots: w, History: w, Operator: w, Prober: w, Exporter: w, Reloader: w, Live: NewLive(),
		Metrics:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "stickwatch_build_info 1") }),
		Ready:    func() error { return w.ready },
		Location: time.UTC, Version: "1.0.0", CacheFor: time.Nanosecond,
		Now: func() time.Time { return testTime }, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = openapitest.Handler(t, s.handler)
	return s
}

func (w *fakeDaemon) Snapshots() []Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Snapshot
	for _, s := range w.fakeClusters {
		all = append(all, s.Snapshot)
	}
	return all
}

// replaceCluster replaces the cluster of the same name.
func (w *fakeDaemon) replaceCluster(s *fakeCluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.fakeClusters {
		if w.fakeClusters[i].Cluster.Name == s.Cluster.Name {
			w.fakeClusters[i] = s
		}
	}
}

func (w *fakeDaemon) Acknowledge(_ context.Context, id string, a alerting.Acknowledgement, takeOver bool) (alerting.Incident, error) {
	return w.change(id, func(i *alerting.Incident) error {
		if before := i.Acknowledged; !before.IsZero() && !takeOver {
			return alerting.AcknowledgedError{By: before}
		}
		a.At = testTime
		i.Acknowledged = a
		return nil
	})
}

func (w *fakeDaemon) AddNote(_ context.Context, id, by, text string) (alerting.Incident, error) {
	return w.change(id, func(i *alerting.Incident) error {
		*i = i.WithNote(alerting.NewNote(testTime, by, text))
		return nil
	})
}

// change changes an incident.
func (w *fakeDaemon) change(id string, by func(*alerting.Incident) error) (alerting.Incident, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return alerting.Incident{}, w.broken
	}
	for _, s := range w.fakeClusters {
		for n := range s.incidents {
			if i := &s.incidents[n]; i.ID == id {
				return *i, by(i)
			}
		}
	}
	return alerting.Incident{}, ErrNotFound
}

func (w *fakeDaemon) Probe(_ context.Context, cluster string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probed = append(w.probed, cluster)
	return w.broken
}

func (w *fakeDaemon) Export(ctx context.Context, cluster string) (http.Handler, error) {
	if w.fakeCluster(cluster) == nil {
		return nil, fmt.Errorf("cluster %q: %w", cluster, ErrNotFound)
	}
	if err := w.Probe(ctx, cluster); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "stickwatch_balancer_up{cluster=%q} 1\n", cluster)
	}), nil
}

func (w *fakeDaemon) Reload(context.Context) error {
	w.reloads++
	if w.reloads > 1 {
		return errors.New("stickwatch.yml:3:5: clusters[0].nam: unknown key")
	}
	return nil
}

func (w *fakeDaemon) fakeCluster(cluster string) *fakeCluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.fakeClusters, func(s *fakeCluster) bool { return s.Cluster.Name == cluster })
	if i < 0 {
		return nil
	}
	return w.fakeClusters[i]
}

func (w *fakeDaemon) Points(_ context.Context, of []checks.Target, span checks.Span, step time.Duration) (map[checks.Target][]checks.Point, error) {
	all := make(map[checks.Target][]checks.Point)
	for _, t := range of {
		all[t] = w.points(t, span, step)
	}
	return all, w.broken
}

// points generates varying latencies, and failures during outages.
func (w *fakeDaemon) points(of checks.Target, span checks.Span, step time.Duration) (points []checks.Point) {
	for i, at := 0, span.From; at.Before(span.To) && at.Before(testTime); i, at = i+1, at.Add(step) {
		mean := time.Duration(1000+37*(i*i%23)+300*int(of.Name[len(of.Name)-1]-'0')) * time.Microsecond
		if of.Kind != checks.TargetNode {
			mean += 2 * time.Millisecond
		}
		if !at.Add(step).After(w.born) {
			continue
		}
		p := checks.Point{At: at, Probes: cmp.Or(w.often, 20), Mean: mean, Max: mean * 2}
		for _, out := range w.fakeCluster(of.Cluster).outages[of.Name] {
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

func (w *fakeDaemon) Uptimes(_ context.Context, cluster string, span checks.Span) ([]checks.Uptime, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	s := w.fakeCluster(cluster)
	up := func(kind checks.TargetKind, name string) checks.Uptime {
		return checks.Uptime{Target: checks.Target{Cluster: cluster, Kind: kind, Name: name}, Span: span, Probes: 100000, Failed: 20, Ratio: 0.9998, Longest: 12 * time.Second}
	}
	all := []checks.Uptime{up(checks.TargetBalancer, "http://10.0.0.9:8088 10.0.0.9:8088")}
	for _, n := range s.Cluster.Nodes {
		all = append(all, up(checks.TargetCanary, n.ID))
	}
	all = append(all, up(checks.TargetDependency, "Redis Server"))
	for _, n := range s.Cluster.Nodes {
		all = append(all, up(checks.TargetNode, n.ID))
	}
	if w.upgraded {
		return all, nil
	}
	for _, n := range s.Cluster.Nodes {
		u := up(checks.TargetSession, n.ID)
		u.Failed, u.Ratio = 1250, 0.9875
		all = append(all, u)
	}
	return all, nil
}

func (w *fakeDaemon) Days(_ context.Context, of []checks.Target, to time.Time, n int) (map[checks.Target][]checks.Uptime, error) {
	all := make(map[checks.Target][]checks.Uptime)
	for _, t := range of {
		all[t] = w.days(t, to, n)
	}
	return all, w.broken
}

func (w *fakeDaemon) days(of checks.Target, to time.Time, n int) []checks.Uptime {
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

func (w *fakeDaemon) Moves(_ context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	moves := slices.Clone(w.fakeCluster(cluster).moves)
	moves = slices.DeleteFunc(moves, func(m checks.Move) bool { return m.At.Before(span.From) || !m.At.Before(span.To) })
	return moves[:min(limit, len(moves))], nil
}

func (w *fakeDaemon) CountMoves(_ context.Context, cluster string, _ checks.Span) (moved, lost int, err error) {
	for _, m := range w.fakeCluster(cluster).moves {
		if moved++; !m.Kept {
			lost++
		}
	}
	return moved, lost, w.broken
}

func (w *fakeDaemon) Placements(_ context.Context, cluster string, _ checks.Span, _ int) ([]checks.Placement, error) {
	return w.fakeCluster(cluster).placements, w.broken
}

func (w *fakeDaemon) FindingChanges(_ context.Context, cluster string, _ checks.Span, _ int) ([]checks.Change, error) {
	return w.fakeCluster(cluster).changes, w.broken
}

func (w *fakeDaemon) Incidents(_ context.Context, q IncidentQuery) ([]alerting.Incident, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []alerting.Incident
	for _, s := range w.fakeClusters {
		for _, i := range s.incidents {
			if q.Matches(&i) {
				found = append(found, i)
			}
		}
	}
	slices.SortFunc(found, func(a, b alerting.Incident) int { return b.Started.Compare(a.Started) })
	return found[:min(q.Limit, len(found))], nil
}

func (w *fakeDaemon) Deployments(_ context.Context, cluster string, _ checks.Span) ([]checks.Deployment, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	all := slices.Clone(w.began)
	for _, s := range w.fakeClusters {
		if cluster == "" || s.Cluster.Name == cluster {
			all = append(all, s.deployments...)
		}
	}
	return all, nil
}

func (w *fakeDaemon) CountsOf(context.Context, string, checks.Span) (alerting.Counts, error) {
	return alerting.Counts{Moved: 7, Lost: 2, Longest: 3 * time.Second}, w.broken
}

func (w *fakeDaemon) BeginDeployment(_ context.Context, d checks.Deployment) (string, error) {
	if w.broken != nil {
		return "", w.broken
	}
	w.began = append(w.began, d)
	return strconv.Itoa(len(w.began)), nil
}

func (w *fakeDaemon) EndDeployment(_ context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error {
	if w.broken != nil {
		return w.broken
	}
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(w.began) || !w.began[n-1].To.IsZero() {
		return fmt.Errorf("ending deployment %q: %w", id, ErrNotFound)
	}
	w.began[n-1].To, w.watched = at, watched
	return nil
}

func (w *fakeDaemon) Silences(_ context.Context, at time.Time) ([]alerting.Silence, error) {
	return slices.DeleteFunc(w.allSilences(), func(s alerting.Silence) bool { return !at.Before(s.To) }), w.broken
}

// allSilences returns every stored silence.
func (w *fakeDaemon) allSilences() []alerting.Silence {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.silences)
}

// asked returns the clusters that were probed on request.
func (w *fakeDaemon) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.probed)
}

func (w *fakeDaemon) AddSilence(_ context.Context, s alerting.Silence) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silences = append(w.silences, s)
	return w.broken
}

func (w *fakeDaemon) ExpireSilence(_ context.Context, id string, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	for i := range w.silences {
		if w.silences[i].ID == id {
			w.silences[i].To = at
			return nil
		}
	}
	return fmt.Errorf("expiring silence %q: %w", id, ErrNotFound)
}

func (w *fakeDaemon) DeadLetters(context.Context, int) ([]DeadLetter, error) {
	return w.deadLetters, w.broken
}

func (w *fakeDaemon) HistoryStatus() HistoryStatus { return w.keeping }
