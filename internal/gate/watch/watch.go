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
func (v *Watch) runClients(ctx context.Context, users []*user, newClients []*newClient) {
	type sampler interface {
		sample(context.Context) []gate.Sample
	}
	all := len(users) + len(newClients) + len(v.cluster.Nodes)
	begin := func(i int, identity sampler, add func(gate.Sample)) {
		phase := v.config.Interval * time.Duration(i) / time.Duration(all)
		requests := schedule{interval: v.config.Interval}
		v.running.Go(func() {
			loop(ctx, v.config.Interval, phase, func() (good bool) {
				began := time.Now()
				retry := requests.retry(began)
				var samples []gate.Sample
				err := panics.Catch(panics.Probe, func() { samples = identity.sample(ctx) })
				if ctx.Err() != nil || err != nil {
					return true // the request was cancelled by the end of the watch
				}
				if v.impaired(began, samples) {
					return false
				}
				v.mu.Lock()
				defer v.mu.Unlock()
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
	v.mu.Lock() // a copy of the record is in progress
	defer v.mu.Unlock()
	for n, u := range users {
		v.record.Sessions = append(v.record.Sessions, u.watchedClient)
		begin(i, u, func(b gate.Sample) { v.record.Sessions[n].Timeline.Add(b) })
		i++
	}
	for n, c := range newClients {
		v.record.NewClients = append(v.record.NewClients, c.watchedClient)
		begin(i, c, func(b gate.Sample) { v.record.NewClients[n].Timeline.Add(b) })
		i++
	}
	for _, n := range v.cluster.Nodes {
		begin(i, newHealthChecker(v.cluster, n), func(b gate.Sample) {
			timeline := v.record.Nodes[n.ID]
			timeline.Add(b)
			v.record.Nodes[n.ID] = timeline
		})
		i++
	}
	v.running.Go(func() { panics.Keep(ctx, panics.Evidence, func() { v.pollEvidence(ctx) }) })
}

// impaired reports whether samples failed because stickwatch itself cannot probe, and records
// why. They are left out: they are no evidence about the cluster.
func (v *Watch) impaired(began time.Time, samples []gate.Sample) bool {
	at := slices.IndexFunc(samples, func(b gate.Sample) bool { return !b.Good })
	if at < 0 {
		return false
	}
	own := ""
	if samples[at].Own {
		own = samples[at].Error
	}
	why, ok := v.config.Prober.Self.Doubt(began, own)
	if !ok {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if reason := why.String(); !slices.Contains(v.record.Impaired, reason) && len(v.record.Impaired) < maxReasons {
		v.record.Impaired = append(v.record.Impaired, reason)
	}
	return true
}

// maxReasons bounds the reasons that are recorded; they may contain addresses.
const maxReasons = 10

// Record returns a copy of the observations so far.
func (v *Watch) Record() gate.WatchRecord {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.record
	r.Sessions, r.NewClients = copyClients(r.Sessions), copyClients(r.NewClients)
	r.Nodes, r.BalancerStates = copyMap(r.Nodes), copyMap(r.BalancerStates)
	r.Impaired = slices.Clone(r.Impaired)
	return r
}

// TakeReport takes and judges a round during the watch.
func (v *Watch) TakeReport(ctx context.Context) checks.Report {
	r := v.config.Prober.Round(ctx, v.cluster)
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() == nil {
		v.record.After = r
	}
	r.Past = checks.Judge(v.record.Before).History
	return checks.Judge(r)
}

// Stop ends the watch and returns the record. Unless a round was taken during the
// watch, it takes a last one if ctx allows.
func (v *Watch) Stop(ctx context.Context) gate.WatchRecord {
	v.stop()
	v.running.Wait()
	for _, u := range v.users {
		u.logOut(ctx)
	}
	v.evidenceReader.Close()
	v.mu.Lock()
	v.record.To = time.Now()
	reported := !v.record.After.Started.IsZero()
	v.mu.Unlock()
	if !reported {
		v.TakeReport(ctx)
	}
	return v.Record()
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
