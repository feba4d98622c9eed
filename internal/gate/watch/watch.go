// Package watch observes a cluster while it is changed: it holds sessions through the
// balancer as users would, sends new clients, sends direct requests to the nodes, and
// polls the balancer's evidence, several times a second. It records the results for
// package gate to judge.
//
// Requests do not pile up: each client has one request in flight. A failed request is
// retried as soon as the budget of the cluster allows, whatever the interval is, so
// that the end of an outage is known to a few tenths of a second. The bounds of an
// outage are times at which requests were sent and answered: where retries wait for the
// budget, the bounds are wider but still correct. Retries are marked and do not count
// as requests of users.
package watch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/probes"
	sources "stickwatch/probes/evidence"
)

// defaultInterval is the default time between the requests of a client.
const defaultInterval = 250 * time.Millisecond

// A Config configures a watch. Zero fields have defaults.
type Config struct {
	Prober   *monitor.Prober // takes the rounds; nil: a default one
	Interval time.Duration   // between the starts of a client's requests; 0: 250 ms
	Sessions int             // per node and address of the balancer; 0: 1
}

// A Watch is a watch in progress.
type Watch struct {
	cluster        *probes.Cluster
	config         Config
	evidenceReader *sources.Reader
	counterBases   counterBases
	addresses      addresses
	users          []*user // all; appended to by runClients

	stop    context.CancelFunc
	running panics.Group

	mu     sync.Mutex
	record gate.WatchRecord
}

// Start takes the first round, opens a session on every node that it can reach, and
// watches until [Watch.Stop]. It returns when the sessions are open or ctx is done.
func Start(ctx context.Context, c *probes.Cluster, config Config) *Watch {
	config.Prober = cmp.Or(config.Prober, new(monitor.Prober))
	config.Interval = cmp.Or(config.Interval, defaultInterval)
	config.Sessions = cmp.Or(config.Sessions, 1)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &Watch{cluster: c, config: config, evidenceReader: sources.NewReader(c), stop: stop}
	w.record = gate.WatchRecord{
		Cluster: c, Before: config.Prober.Round(ctx, c),
		Nodes: make(map[string]gate.Timeline), BalancerStates: make(map[string][]gate.BalancerState),
	}
	fronts := probes.Resolve(ctx, c)
	for _, front := range fronts {
		w.addresses.MarkKnown(front.Address)
	}
	users, newClients := w.openClients(ctx, fronts)
	w.record.From = time.Now()
	w.runClients(watching, users, newClients)
	w.runNodes(watching)
	w.running.Go(func() { panics.Keep(watching, panics.Probe, func() { w.followAddresses(watching) }) })
	w.running.Go(func() { panics.Keep(watching, panics.Evidence, func() { w.pollEvidence(watching) }) })
	return w
}

// runClients starts clients, each at its own offset in the interval.
func (w *Watch) runClients(ctx context.Context, users []*user, newClients []*newClient) {
	w.users = append(w.users, users...)
	all, i := len(users)+len(newClients), 0
	phase := func() time.Duration {
		i++
		return w.config.Interval * time.Duration(i-1) / time.Duration(all)
	}
	w.mu.Lock() // a copy of the record may be in progress
	defer w.mu.Unlock()
	for _, u := range users {
		n := len(w.record.Sessions)
		w.record.Sessions = append(w.record.Sessions, u.watchedClient)
		w.run(ctx, phase(), u, func(s gate.Sample) {
			w.record.Sessions[n].Frontend = u.watchedClient.Frontend
			w.record.Sessions[n].Timeline.Add(s)
		})
	}
	for _, c := range newClients {
		n := len(w.record.NewClients)
		w.record.NewClients = append(w.record.NewClients, c.watchedClient)
		w.run(ctx, phase(), c, func(s gate.Sample) { w.record.NewClients[n].Timeline.Add(s) })
	}
}

// runNodes starts the direct requests to nodes, each at its own offset in the interval.
func (w *Watch) runNodes(ctx context.Context) {
	for i, n := range w.cluster.Nodes {
		phase := w.config.Interval * time.Duration(2*i+1) / time.Duration(2*len(w.cluster.Nodes)) // between clients
		w.run(ctx, phase, newHealthChecker(w.cluster, n), func(s gate.Sample) {
			timeline := w.record.Nodes[n.ID]
			timeline.Add(s)
			w.record.Nodes[n.ID] = timeline
		})
	}
}

// A sampler sends requests.
type sampler interface {
	sample(context.Context) []gate.Sample
}

// run starts a sampler and passes its samples to add, which may use the record.
func (w *Watch) run(ctx context.Context, phase time.Duration, s sampler, add func(gate.Sample)) {
	requests := schedule{interval: w.config.Interval}
	w.running.Go(func() {
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		loop(ctx, w.config.Interval, phase, func() (good bool) {
			began := time.Now()
			retry := requests.retry(began)
			var samples []gate.Sample
			err := panics.Catch(panics.Probe, func() { samples = s.sample(ctx) })
			if ctx.Err() != nil || err != nil {
				return true // the request was cancelled by the end of the watch
			}
			if w.impaired(began, samples) {
				return false
			}
			if c, ok := s.(client); ok && w.departs(ctx, c, samples) {
				if !w.move(c) {
					leave()
				}
				return false
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			good = true
			for _, sample := range samples {
				sample.Retry = retry
				add(sample)
				good = good && sample.Good
			}
			requests.failing = !good
			return good
		})
	})
}

// impaired reports whether samples failed because stickwatch itself cannot probe, and records
// why. They are left out: they are no evidence about the cluster.
func (w *Watch) impaired(began time.Time, samples []gate.Sample) bool {
	at := slices.IndexFunc(samples, func(s gate.Sample) bool { return !s.Good })
	if at < 0 {
		return false
	}
	own := ""
	if samples[at].Own {
		own = samples[at].Error
	}
	why, ok := w.config.Prober.Self.Doubt(began, own)
	if !ok {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	same := func(m checks.Message) bool { return m.String() == why.String() }
	if !slices.ContainsFunc(w.record.Impaired, same) && len(w.record.Impaired) < maxReasons {
		w.record.Impaired = append(w.record.Impaired, why)
	}
	return true
}

// maxReasons bounds the reasons that are recorded; they may contain addresses.
const maxReasons = 10

// Record returns a copy of the observations so far.
func (w *Watch) Record() gate.WatchRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record
	r.Sessions, r.NewClients = copyClients(r.Sessions), copyClients(r.NewClients)
	r.Nodes, r.BalancerStates = copyMap(r.Nodes), copyMap(r.BalancerStates)
	r.Impaired = slices.Clone(r.Impaired)
	return r
}

// TakeReport takes and judges a round during the watch.
func (w *Watch) TakeReport(ctx context.Context) checks.Report {
	r := w.config.Prober.Round(ctx, w.cluster)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil {
		w.record.After = r
	}
	r.Past = checks.Judge(w.record.Before).Timelines
	return checks.Judge(r)
}

// Stop ends the watch and returns the record. Unless a round was taken during the
// watch, it takes a last one if ctx allows.
func (w *Watch) Stop(ctx context.Context) gate.WatchRecord {
	w.stop()
	w.running.Wait()
	for _, u := range w.users {
		u.logOut(ctx)
	}
	w.evidenceReader.Close()
	w.mu.Lock()
	w.record.To = time.Now()
	reported := !w.record.After.Started.IsZero()
	w.mu.Unlock()
	if !reported {
		w.TakeReport(ctx)
	}
	return w.Record()
}

// copyClients returns copies whose timelines do not change.
func copyClients(watchedClients []gate.WatchedClient) []gate.WatchedClient {
	list := slices.Clone(watchedClients)
	for i := range list {
		list[i].Timeline = slices.Clone(list[i].Timeline)
	}
	return list
}

func copyMap[M ~map[string]S, S ~[]E, E any](m M) M {
	out := maps.Clone(m)
	for key, list := range out {
		out[key] = slices.Clone(list)
	}
	return out
}
