// Package vigil watches a cluster while it is being changed: it holds sessions
// through the balancer as users would, lets newcomers in beside them, asks the
// nodes directly and the balancer for its own word, many times a second, and
// writes down what they met for package gate to judge.
//
// Requests do not pile up: each client has one under way at a time. What fails
// is tried again as soon as the budget of the cluster allows, whatever the interval
// is, so that the end of an outage is known to a few tenths of a second. The
// bounds of an outage are times at which requests were sent and answered: where
// retries wait for the budget, the bounds are wider, and as true. Such retries are
// marked: they count as no user's requests.
package vigil

import (
	"cmp"
	"context"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/probes"
	sources "stickwatch/probes/evidence"
)

// DefaultInterval is how often a client comes, unless told otherwise.
const DefaultInterval = 250 * time.Millisecond

// A Config says how a cluster is watched. Zero fields have defaults.
type Config struct {
	Prober   *monitor.Prober // takes the pictures; nil: a plain one
	Interval time.Duration   // between the starts of a client's requests; 0: DefaultInterval
	Sessions int             // held on every node, through each address of the balancer; 0: 1
}

// A Vigil is a watch that goes on.
type Vigil struct {
	cluster *probes.Cluster
	config  Config
	witness *sources.Reader
	bases   bases

	stop    context.CancelFunc
	running panics.Group

	mu     sync.Mutex
	record gate.Record
}

// Begin takes the opening picture, opens a session on every node that it can
// reach, and watches from then on until [Vigil.End]. It returns when the
// sessions are held, or ctx is done.
func Begin(ctx context.Context, c *probes.Cluster, config Config) *Vigil {
	config.Prober = cmp.Or(config.Prober, new(monitor.Prober))
	config.Interval = cmp.Or(config.Interval, DefaultInterval)
	config.Sessions = cmp.Or(config.Sessions, 1)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	v := &Vigil{cluster: c, config: config, witness: sources.NewReader(c), stop: stop}
	v.record = gate.Record{
		Cluster: c, Before: config.Prober.Round(ctx, c),
		Nodes: make(map[string]gate.Track), Said: make(map[string][]gate.Said),
	}
	users, newcomers := v.gather(ctx)
	v.record.From = time.Now()
	v.watch(watching, users, newcomers)
	return v
}

// watch lets everybody come, each at a moment of the interval of its own.
func (v *Vigil) watch(ctx context.Context, users []*user, newcomers []*newcomer) {
	type visitor interface {
		visit(context.Context) []gate.Beat
	}
	all := len(users) + len(newcomers) + len(v.cluster.Nodes)
	begin := func(i int, who visitor, add func(gate.Beat)) {
		phase := v.config.Interval * time.Duration(i) / time.Duration(all)
		requests := schedule{interval: v.config.Interval}
		v.running.Go(func() {
			pace(ctx, v.config.Interval, phase, func() (good bool) {
				retry := requests.retry(time.Now())
				var beats []gate.Beat
				err := panics.Catch(panics.Probe, func() { beats = who.visit(ctx) })
				if ctx.Err() != nil || err != nil {
					return true // what was under way was broken off by us
				}
				v.mu.Lock()
				defer v.mu.Unlock()
				good = true
				for _, b := range beats {
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
	v.mu.Lock() // the record is being made
	defer v.mu.Unlock()
	for n, u := range users {
		v.record.Sessions = append(v.record.Sessions, u.lane)
		begin(i, u, func(b gate.Beat) { v.record.Sessions[n].Track.Add(b) })
		i++
	}
	for n, c := range newcomers {
		v.record.Newcomers = append(v.record.Newcomers, c.lane)
		begin(i, c, func(b gate.Beat) { v.record.Newcomers[n].Track.Add(b) })
		i++
	}
	for _, n := range v.cluster.Nodes {
		begin(i, newKnocker(v.cluster, n), func(b gate.Beat) {
			track := v.record.Nodes[n.ID]
			track.Add(b)
			v.record.Nodes[n.ID] = track
		})
		i++
	}
	v.running.Go(func() { panics.Keep(ctx, panics.Evidence, func() { v.listen(ctx) }) })
}

// Record is what was seen so far. It is a copy.
func (v *Vigil) Record() gate.Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.record
	r.Sessions, r.Newcomers = copied(r.Sessions), copied(r.Newcomers)
	r.Nodes, r.Said = copiedMap(r.Nodes), copiedMap(r.Said)
	return r
}

// Picture takes a picture while the watch goes on.
func (v *Vigil) Picture(ctx context.Context) checks.Report {
	r := v.config.Prober.Round(ctx, v.cluster)
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() == nil {
		v.record.After = r
	}
	r.Past = checks.Judge(v.record.Before).History
	return checks.Judge(r)
}

// End ends the watch and returns what was seen. Unless a picture was taken while
// it went on, it takes one of the cluster as it is left, as far as ctx lets it.
func (v *Vigil) End(ctx context.Context) gate.Record {
	v.stop()
	v.running.Wait()
	v.witness.Close()
	v.mu.Lock()
	v.record.To = time.Now()
	pictured := !v.record.After.Started.IsZero()
	v.mu.Unlock()
	if !pictured {
		v.Picture(ctx)
	}
	return v.Record()
}
