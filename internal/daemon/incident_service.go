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
	"stickwatch/internal/sleep"
)

// An incidentService connects the watchers of all clusters to the incident manager.
// Their findings change incidents in memory at once; the write queue writes the
// changes, together with the notifications, to the history.
type incidentService struct {
	queue   *notify.WriteQueue
	metrics *metrics.Live
	logger  *slog.Logger
	clock   *steadyClock

	mu              sync.Mutex // guards what follows; held while a write set is added to queue, so that write sets are queued in their order
	incidentManager *alerting.Manager
	watched         map[string]bool        // clusters; at first those with restored findings
	epochs          map[string]int64       // of the leases of clusters; nil: there is no fleet
	selfFindings    []checks.ActiveFinding // findings about stickwatch itself
	silences        monotonicTimes         // times of the current silences
	deployments     monotonicTimes         // times of the announced deployments
}

func newIncidentService(queue *notify.WriteQueue, live *metrics.Live, logger *slog.Logger, clock *steadyClock, rules alerting.Config, restored restoredState) *incidentService {
	r := &incidentService{
		queue: queue, metrics: live, logger: logger, clock: clock, silences: monotonicTimes{clock: clock}, deployments: monotonicTimes{clock: clock},
		incidentManager: alerting.NewManager(rules, restored.Incidents), watched: toSet(maps.Keys(restored.ActiveFindings)),
	}
	r.incidentManager.SetSilences(r.silences.ofSilences(restored.Silences))
	r.incidentManager.SetDeployments(r.deployments.ofDeployments(restored.Announced))
	live.Incidents(r.incidentManager.Open())
	return r
}

// observe passes the changes and the active findings of a cluster to the incident
// manager.
func (is *incidentService) observe(cluster string, changes []checks.Change, activeFindings []checks.ActiveFinding) {
	is.apply(func(at time.Time) (s history.WriteSet) {
		if !is.watched[cluster] {
			return s // the cluster was removed while a round was in progress
		}
		if len(changes) > 0 {
			s.ActiveFindings = map[string][]checks.ActiveFinding{cluster: activeFindings}
		}
		s.Decision = is.incidentManager.Observe(at, cluster, changes, activeFindings)
		return s
	})
}

// report adds a finding about stickwatch itself that began at a moment; zero: now. It stays
// active until retract.
func (is *incidentService) report(f checks.Finding, since time.Time) {
	is.apply(func(at time.Time) history.WriteSet {
		if since.IsZero() {
			since = at
		}
		found := checks.ActiveFinding{Finding: f, Since: since, Last: at}.WithTimes(is.clock.shared)
		is.selfFindings = append(is.selfFindings, found)
		change := checks.Change{Kind: checks.Appeared, ActiveFinding: found, At: at, Reason: f.Summary.String()}
		return history.WriteSet{Decision: is.incidentManager.Observe(at, "", []checks.Change{change}, is.selfFindings)}
	})
}

// retract ends some findings about stickwatch itself, and all restored ones: what lasts is found
// again.
func (is *incidentService) retract(some func(checks.Finding) bool) {
	is.apply(func(at time.Time) history.WriteSet {
		is.selfFindings = slices.DeleteFunc(is.selfFindings, func(found checks.ActiveFinding) bool { return some(found.Finding) })
		return history.WriteSet{Decision: is.incidentManager.Observe(at, "", nil, is.selfFindings)}
	})
}

// adopt continues the incidents of clusters that were taken over. own has the epochs of all leases.
func (is *incidentService) adopt(leaseEpochs map[string]int64, past restoredState) {
	is.apply(func(at time.Time) history.WriteSet {
		is.epochs = maps.Clone(leaseEpochs)
		is.watched = toSet(maps.Keys(leaseEpochs))
		is.incidentManager.Adopt(past.Incidents)
		if past.Announced != nil {
			is.incidentManager.SetDeployments(is.deployments.ofDeployments(is.ownDeployments(past.Announced)))
		}
		is.incidentManager.RetainClusters(at, func(cluster string) bool { return is.watched[cluster] })
		return history.WriteSet{Decision: is.incidentManager.Observe(at, "", nil, is.selfFindings)} // ends what monitors reported that are gone
	})
}

// adoptOwn continues incidents of stickwatch itself whose instance is gone, which ends them.
func (is *incidentService) adoptOwn(orphans []alerting.Incident) {
	is.apply(func(at time.Time) history.WriteSet {
		is.incidentManager.Adopt(orphans)
		is.incidentManager.RetainClusters(at, func(cluster string) bool { return is.watched[cluster] })
		return history.WriteSet{Decision: is.incidentManager.Observe(at, "", nil, is.selfFindings)}
	})
}

// release forgets clusters that another instance watches from now on.
func (is *incidentService) release(clusters []string) {
	is.apply(func(at time.Time) history.WriteSet {
		for _, cluster := range clusters {
			delete(is.watched, cluster)
			delete(is.epochs, cluster)
		}
		return history.WriteSet{Decision: is.incidentManager.Release(at, func(cluster string) bool { return slices.Contains(clusters, cluster) })}
	})
}

// ownDeployments returns the deployments of clusters that this instance watches.
func (is *incidentService) ownDeployments(announced []alerting.Deployment) []alerting.Deployment {
	if is.epochs == nil {
		return announced
	}
	return slices.DeleteFunc(slices.Clone(announced), func(d alerting.Deployment) bool { return !is.watched[d.Cluster] })
}

// fence returns the epochs of the clusters of a write set; 0: of one that another instance watches.
func (is *incidentService) fence(set history.WriteSet) map[string]int64 {
	if is.epochs == nil {
		return nil
	}
	fence := make(map[string]int64)
	for cluster := range set.Clusters() {
		fence[cluster] = is.epochs[cluster]
	}
	return fence
}

// tick advances the time of the incident manager.
func (is *incidentService) tick() {
	is.apply(func(at time.Time) history.WriteSet { return history.WriteSet{Decision: is.incidentManager.Tick(at)} })
}

// setClusters sets the watched clusters. It ends the incidents and deletes the active
// findings of all other clusters; observe ignores them from now on.
func (is *incidentService) setClusters(clusters []string) {
	is.apply(func(at time.Time) history.WriteSet {
		gone := make(map[string][]checks.ActiveFinding)
		for cluster := range is.watched {
			if !slices.Contains(clusters, cluster) {
				gone[cluster] = nil
			}
		}
		is.watched = toSet(slices.Values(clusters))
		return history.WriteSet{Decision: is.incidentManager.Watch(at, clusters), ActiveFindings: gone}
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
func (is *incidentService) configure(rules alerting.Config) {
	is.apply(func(at time.Time) history.WriteSet {
		is.incidentManager.Configure(rules)
		return history.WriteSet{Decision: is.incidentManager.Tick(at)}
	})
}

// setSilences replaces the silences.
func (is *incidentService) setSilences(silences []alerting.Silence) {
	is.apply(func(at time.Time) history.WriteSet {
		is.incidentManager.SetSilences(is.silences.ofSilences(silences))
		return history.WriteSet{Decision: is.incidentManager.Tick(at)}
	})
}

// writeAgain writes the open incidents and the active findings of clusters to a history that was
// created anew, and returns the silences, which it lacks, too.
func (is *incidentService) writeAgain(active map[string][]checks.ActiveFinding) []alerting.Silence {
	is.mu.Lock()
	defer is.mu.Unlock()
	set := history.WriteSet{Decision: alerting.Decision{Incidents: is.incidentManager.Open()}, ActiveFindings: active}
	set.Fence = is.fence(set)
	is.queue.Add(set)
	return is.incidentManager.Silences()
}

// setDeployments replaces the announced deployments.
func (is *incidentService) setDeployments(announced []alerting.Deployment) {
	is.apply(func(at time.Time) history.WriteSet {
		is.incidentManager.SetDeployments(is.deployments.ofDeployments(is.ownDeployments(announced)))
		return history.WriteSet{Decision: is.incidentManager.Tick(at)}
	})
}

// acknowledge records who takes care of an open incident, and returns the incident; see
// alerting.Manager.
func (is *incidentService) acknowledge(id string, a alerting.Acknowledgement, takeOver bool) (alerting.Incident, error) {
	return is.change(id, func(at time.Time) (alerting.Decision, error) {
		return is.incidentManager.Acknowledge(at, id, a, takeOver)
	})
}

// addNote adds a note to an open incident, and returns the incident; see alerting.Manager.
func (is *incidentService) addNote(id string, note alerting.Event) (alerting.Incident, error) {
	return is.change(id, func(time.Time) (alerting.Decision, error) { return is.incidentManager.AddNote(id, note) })
}

// change changes an incident and returns it.
func (is *incidentService) change(id string, by func(at time.Time) (alerting.Decision, error)) (i alerting.Incident, err error) {
	is.apply(func(at time.Time) (s history.WriteSet) {
		s.Decision, err = by(at)
		if n := slices.IndexFunc(s.Incidents, func(i alerting.Incident) bool { return i.ID == id }); n >= 0 {
			i = s.Incidents[n]
		}
		return s
	})
	return i, err
}

// observeNodes passes the nodes that deployments touched in a round to the incident
// manager.
func (is *incidentService) observeNodes(r monitor.RoundResult) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.incidentManager.ObserveNodes(is.clock.sharedNow(), r.Cluster.Name, func(since time.Time) []string {
		return alerting.TouchedIn(r.Cluster, r.Report, is.clock.toLocal(since)) // the report has the times of this machine
	})
}

// observeRequest passes the outcome of a request to the incident manager.
func (is *incidentService) observeRequest(request checks.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.incidentManager.ObserveRequest(request)
}

// due returns the deployments whose summary is due.
func (is *incidentService) due() []alerting.Deployment {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.incidentManager.DueSummaries(is.clock.sharedNow())
}

// open returns the incidents that are not resolved.
func (is *incidentService) open() []alerting.Incident {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.incidentManager.Open()
}

// apply makes a decision and adds it to the write queue. The lock is not held while
// transitions are logged, because the log may block.
func (is *incidentService) apply(decide func(at time.Time) history.WriteSet) {
	at, set := is.decide(decide)
	for _, i := range set.Incidents {
		is.recordTransitions(at, i)
	}
}

func (is *incidentService) decide(decide func(at time.Time) history.WriteSet) (time.Time, history.WriteSet) {
	is.mu.Lock()
	defer is.mu.Unlock()
	at := is.clock.sharedNow()
	set := decide(at)
	if !set.Empty() {
		set.Fence = is.fence(set)
		is.metrics.Incidents(is.incidentManager.Open())
		is.queue.Add(set)
	}
	return at, set
}

// recordTransitions counts and logs the state changes of an incident at a time.
func (is *incidentService) recordTransitions(at time.Time, i alerting.Incident) {
	args := []any{"incident", i.ID, "cluster", strings.Join(i.Clusters, ","), "severity", string(i.Severity), "cause", i.Cause.Key(), "summary", alerting.English.Summary(i)}
	for _, e := range i.Timeline {
		switch {
		case !e.At.Equal(at):
		case e.Kind == alerting.EventFired:
			is.metrics.Incident(i.Cluster, i.Cause.Code)
			is.logger.Warn("incident firing", args...)
		case e.Kind == alerting.EventResolved:
			is.logger.Info("incident resolved", append(args, "duration", i.Duration(at).Round(time.Second))...)
		case e.Kind == alerting.EventEscalated:
			is.logger.Warn("incident escalated", append(args, "receiver", e.Detail)...)
		case e.Kind == alerting.EventMerged && i.MergedInto != "":
			is.logger.Info("incident merged", append(args, "into", i.MergedInto)...)
		}
	}
}

// run advances the time of the incident manager every second until ctx ends.
func (is *incidentService) run(ctx context.Context) {
	for range sleep.Every(ctx, time.Second) {
		is.tick()
	}
}

// countsOf returns the effects on the clients of a cluster in a span. Each site has clients of its own.
func (d *Daemon) countsOf(ctx context.Context, cluster string, span checks.Span) (all alerting.Counts, err error) {
	for _, view := range d.views(cluster) {
		c, err := d.history.CountsOf(ctx, view, span)
		if err != nil {
			return all, err
		}
		all.Moved, all.Lost, all.Longest = all.Moved+c.Moved, all.Lost+c.Lost, max(all.Longest, c.Longest)
	}
	return all, nil
}

// sumUpDeployments sends the summaries of deployments whose grace period has ended.
// If the history cannot be read, the summary is retried later.
func (d *Daemon) sumUpDeployments(ctx context.Context) {
	for _, deployment := range d.incidentService.due() {
		counts, err := d.countsOf(ctx, deployment.Cluster, checks.Span{From: deployment.From, To: d.clock.sharedNow()})
		if err != nil {
			if ctx.Err() == nil {
				d.logger.Error("creating the summary of a deployment", "cluster", deployment.Cluster, "deployment", deployment.Name, "err", err)
			}
			continue
		}
		d.incidentService.apply(func(at time.Time) history.WriteSet {
			return history.WriteSet{Decision: d.incidentService.incidentManager.SumUp(at, deployment.ID, counts)}
		})
	}
}
