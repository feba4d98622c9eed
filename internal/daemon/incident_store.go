package daemon

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/notify"
)

// An incidentStore connects the watchers of all clusters to the incident manager.
// Their findings change incidents in memory at once; the write queue writes the
// changes, together with the notifications, to the history.
type incidentStore struct {
	queue   *notify.WriteQueue
	metrics *metrics.Live
	logger  *slog.Logger

	mu              sync.Mutex // guards what follows; held while a step is added to queue, so that steps are queued in their order
	incidentManager *alerting.Manager
	watched         map[string]bool        // clusters; at first those with restored findings
	own             []checks.ActiveFinding // findings about stickwatch itself
	silences        anchor                 // times of the current silences
	deployments     anchor                 // times of the announced deployments
}

func newIncidentStore(queue *notify.WriteQueue, live *metrics.Live, logger *slog.Logger, rules alerting.Config, restored restoredState) *incidentStore {
	r := &incidentStore{
		queue: queue, metrics: live, logger: logger,
		incidentManager: alerting.NewManager(rules, restored.Incidents), watched: toSet(maps.Keys(restored.ActiveFindings)),
	}
	r.incidentManager.SetSilences(r.silences.ofSilences(restored.Silences))
	r.incidentManager.SetDeployments(r.deployments.ofDeployments(restored.Announced))
	live.Incidents(r.incidentManager.Open())
	return r
}

// observe passes the changes and the active findings of a cluster to the incident
// manager.
func (r *incidentStore) observe(cluster string, changes []checks.Change, activeFindings []checks.ActiveFinding) {
	r.apply(func(at time.Time) (s history.Step) {
		if !r.watched[cluster] {
			return s // the cluster was removed while a round was in progress
		}
		if len(changes) > 0 {
			s.ActiveFindings = map[string][]checks.ActiveFinding{cluster: activeFindings}
		}
		s.Step = r.incidentManager.Observe(at, cluster, changes, activeFindings)
		return s
	})
}

// report adds a finding about stickwatch itself that began at a moment; zero: now. It stays
// active until retract.
func (r *incidentStore) report(f checks.Finding, since time.Time) {
	r.apply(func(at time.Time) history.Step {
		if since.IsZero() {
			since = at
		}
		s := checks.ActiveFinding{Finding: f, Since: since, Last: at}
		r.own = append(r.own, s)
		change := checks.Change{Kind: checks.Appeared, ActiveFinding: s, At: at, Reason: f.Summary.String()}
		return history.Step{Step: r.incidentManager.Observe(at, "", []checks.Change{change}, r.own)}
	})
}

// retract ends all findings about stickwatch itself with a code, including restored
// ones.
func (r *incidentStore) retract(code checks.Code) {
	r.apply(func(at time.Time) history.Step {
		r.own = slices.DeleteFunc(r.own, func(s checks.ActiveFinding) bool { return s.Code == code })
		return history.Step{Step: r.incidentManager.Observe(at, "", nil, r.own)}
	})
}

// tick advances the time of the incident manager.
func (r *incidentStore) tick() {
	r.apply(func(at time.Time) history.Step { return history.Step{Step: r.incidentManager.Tick(at)} })
}

// setClusters sets the watched clusters. It ends the incidents and deletes the active
// findings of all other clusters; observe ignores them from now on.
func (r *incidentStore) setClusters(clusters []string) {
	r.apply(func(at time.Time) history.Step {
		gone := make(map[string][]checks.ActiveFinding)
		for cluster := range r.watched {
			if !slices.Contains(clusters, cluster) {
				gone[cluster] = nil
			}
		}
		r.watched = toSet(slices.Values(clusters))
		return history.Step{Step: r.incidentManager.Watch(at, clusters), ActiveFindings: gone}
	})
}

func toSet(names iter.Seq[string]) map[string]bool {
	set := make(map[string]bool)
	for name := range names {
		set[name] = true
	}
	return set
}

// configure replaces the alerting rules.
func (r *incidentStore) configure(rules alerting.Config) {
	r.apply(func(at time.Time) history.Step {
		r.incidentManager.Configure(rules)
		return history.Step{Step: r.incidentManager.Tick(at)}
	})
}

// setSilences replaces the silences.
func (r *incidentStore) setSilences(silences []alerting.Silence) {
	r.apply(func(at time.Time) history.Step {
		r.incidentManager.SetSilences(r.silences.ofSilences(silences))
		return history.Step{Step: r.incidentManager.Tick(at)}
	})
}

// setDeployments replaces the announced deployments.
func (r *incidentStore) setDeployments(announced []alerting.Deployment) {
	r.apply(func(at time.Time) history.Step {
		r.incidentManager.SetDeployments(r.deployments.ofDeployments(announced))
		return history.Step{Step: r.incidentManager.Tick(at)}
	})
}

// acknowledge records who takes care of an open incident, and returns the incident; see
// alerting.Manager.
func (r *incidentStore) acknowledge(id string, a alerting.Acknowledgement, takeOver bool) (alerting.Incident, error) {
	return r.change(id, func(at time.Time) (alerting.Step, error) { return r.incidentManager.Acknowledge(at, id, a, takeOver) })
}

// addNote adds a note to an open incident, and returns the incident; see alerting.Manager.
func (r *incidentStore) addNote(id string, note alerting.Event) (alerting.Incident, error) {
	return r.change(id, func(time.Time) (alerting.Step, error) { return r.incidentManager.AddNote(id, note) })
}

// change changes an incident and returns it.
func (r *incidentStore) change(id string, by func(at time.Time) (alerting.Step, error)) (i alerting.Incident, err error) {
	r.apply(func(at time.Time) (s history.Step) {
		s.Step, err = by(at)
		if n := slices.IndexFunc(s.Incidents, func(i alerting.Incident) bool { return i.ID == id }); n >= 0 {
			i = s.Incidents[n]
		}
		return s
	})
	return i, err
}

// observeNodes passes the nodes that deployments touched in a round to the incident
// manager.
func (r *incidentStore) observeNodes(j monitor.RoundResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidentManager.ObserveNodes(time.Now(), j.Cluster.Name, func(since time.Time) []string {
		return alerting.TouchedIn(j.Cluster, j.Report, since)
	})
}

// observeRequest passes the outcome of a request to the incident manager.
func (r *incidentStore) observeRequest(request checks.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidentManager.ObserveRequest(request)
}

// due returns the deployments whose summary is due.
func (r *incidentStore) due() []alerting.Deployment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.incidentManager.DueSummaries(time.Now())
}

// open returns the incidents that are not resolved.
func (r *incidentStore) open() []alerting.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.incidentManager.Open()
}

// apply makes a decision and adds it to the write queue. The lock is not held while
// transitions are logged, because the log may block.
func (r *incidentStore) apply(decide func(at time.Time) history.Step) {
	at, step := r.decide(decide)
	for _, i := range step.Incidents {
		r.recordTransitions(at, i)
	}
}

func (r *incidentStore) decide(decide func(at time.Time) history.Step) (time.Time, history.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	step := decide(at)
	if !step.Empty() {
		r.metrics.Incidents(r.incidentManager.Open())
		r.queue.Add(step)
	}
	return at, step
}

// recordTransitions counts and logs the state changes of an incident at a time.
func (r *incidentStore) recordTransitions(at time.Time, i alerting.Incident) {
	args := []any{"incident", i.ID, "cluster", strings.Join(i.Clusters, ","), "severity", string(i.Severity), "cause", i.Cause.Key(), "summary", alerting.English.Summary(i)}
	for _, e := range i.Timeline {
		switch {
		case !e.At.Equal(at):
		case e.Kind == alerting.EventFired:
			r.metrics.Incident(i.Cluster, i.Cause.Code)
			r.logger.Warn("incident firing", args...)
		case e.Kind == alerting.EventResolved:
			r.logger.Info("incident resolved", append(args, "duration", i.Duration(at).Round(time.Second))...)
		case e.Kind == alerting.EventEscalated:
			r.logger.Warn("incident escalated", append(args, "receiver", e.Detail)...)
		case e.Kind == alerting.EventMerged && i.MergedInto != "":
			r.logger.Info("incident merged", append(args, "into", i.MergedInto)...)
		}
	}
}

// run advances the time of the incident manager every second until ctx ends.
func (r *incidentStore) run(ctx context.Context) {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
			r.tick()
		}
	}
}
