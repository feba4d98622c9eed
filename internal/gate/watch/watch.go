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

// DefaultInterval is the default time between the requests of a client.
const DefaultInterval = 250 * time.Millisecond

// A Config configures a watch. Zero fields have defaults.
type Config struct {
	Prober   *monitor.Prober // takes the rounds; nil: a default one
	Interval time.Duration   // between the starts of a client's requests; 0: DefaultInterval
	Sessions int             // per node and address of the balancer; 0: 1
}

// A Watch is a watch in progress.
type Watch struct {
	cluster        *probes.Cluster
	config         Config
	evidenceReader *sources.Reader
	counterBases   counterBases
	users          []*user

	stop    context.CancelFunc
	running panics.Group

	mu     sync.Mutex
	record gate.WatchRecord
}

// Start takes the first round, opens a session on every node that it can reach, and
// watches until [Watch.Stop]. It returns when the sessions are open or ctx is done.
func Start(ctx context.Context, c *probes.Cluster, config Config) *Watch {
	config.Prober = cmp.Or(config.Prober, new(monitor.Prober))
	config.Interval = cmp.Or(config.Interval, DefaultInterval)
	config.Sessions = cmp.Or(config.Sessions, 1)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	v := &Watch{cluster: c, config: config, evidenceReader: sources.NewReader(c), stop: stop}
	v.record = gate.WatchRecord{
		Cluster: c, Before: config.Prober.Round(ctx, c),
		Nodes: make(map[string]gate.Timeline), BalancerStates: make(map[string][]gate.BalancerState),
	}
	users, newClients := v.openClients(ctx)
	v.users = users
	v.record.From = time.Now()
	v.runClients(watching, users, newClients)
	return v
}

// runClients starts all clients, each at its own offset in the interval.
func (w *Watch) runClients(ctx context.Context, users []*user, newClients []*newClient) {
	type sampler interface {
		sample(context.Context) []gate.Sample
	}
	all := len(users) + len(newClients) + len(w.cluster.Nodes)
	begin := func(i int, identity sampler, add func(gate.Sample)) {
		phase := w.config.Interval * time.Duration(i) / time.Duration(all)
		requests := schedule{interval: w.config.Interval}
		w.running.Go(func() {
			loop(ctx, w.config.Interval, phase, func() (good bool) {
				began := time.Now()
				retry := requests.retry(began)
				var samples []gate.Sample
				err := panics.Catch(panics.Probe, func() { samples = identity.sample(ctx) })
				if ctx.Err() != nil || err != nil {
					return true // the request was cancelled by the end of the watch
				}
				if w.impaired(began, samples) {
					return false
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				good = true
				for _, b := range samples {
					b.Retry = retry
					add(b)
					good = good && b.Good
				}
				requests.failing = !good
				return good
			})
		})
	}
	i := 0
	w.mu.Lock() // a copy of the record is in progress
	defer w.mu.Unlock()
	for n, u := range users {
		w.record.Sessions = append(w.record.Sessions, u.watchedClient)
		begin(i, u, func(b gate.Sample) { w.record.Sessions[n].Timeline.Add(b) })
		i++
	}
	for n, c := range newClients {
		w.record.NewClients = append(w.record.NewClients, c.watchedClient)
		begin(i, c, func(b gate.Sample) { w.record.NewClients[n].Timeline.Add(b) })
		i++
	}
	for _, n := range w.cluster.Nodes {
		begin(i, newHealthChecker(w.cluster, n), func(b gate.Sample) {
			timeline := w.record.Nodes[n.ID]
			timeline.Add(b)
			w.record.Nodes[n.ID] = timeline
		})
		i++
	}
	w.running.Go(func() { panics.Keep(ctx, panics.Evidence, func() { w.pollEvidence(ctx) }) })
}

// impaired reports whether samples failed because stickwatch itself cannot probe, and records
// why. They are left out: they are no evidence about the cluster.
func (w *Watch) impaired(began time.Time, samples []gate.Sample) bool {
	at := slices.IndexFunc(samples, func(b gate.Sample) bool { return !b.Good })
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
	r.Past = checks.Judge(w.record.Before).History
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
